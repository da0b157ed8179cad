CREATE TABLE `failure_counts` (
	`task_id` text NOT NULL,
	`cause` text NOT NULL,
	`count` integer NOT NULL,
	PRIMARY KEY(`task_id`, `cause`),
	FOREIGN KEY (`task_id`) REFERENCES `tasks`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
INSERT INTO `failure_counts` SELECT `task_id`, `cause`, count(*) FROM `device_updates` WHERE `cause` IS NOT NULL GROUP BY `task_id`, `cause`;--> statement-breakpoint
CREATE TRIGGER `failure_counts_insert` AFTER INSERT ON `device_updates` WHEN new.`cause` IS NOT NULL BEGIN
	INSERT INTO `failure_counts` (`task_id`, `cause`, `count`) VALUES (new.`task_id`, new.`cause`, 1) ON CONFLICT DO UPDATE SET `count` = `count` + 1;
END;--> statement-breakpoint
CREATE TRIGGER `failure_counts_update` AFTER UPDATE OF `cause` ON `device_updates` WHEN new.`cause` IS NOT old.`cause` BEGIN
	UPDATE `failure_counts` SET `count` = `count` - 1 WHERE `task_id` = old.`task_id` AND `cause` = old.`cause`;
	INSERT INTO `failure_counts` (`task_id`, `cause`, `count`) SELECT new.`task_id`, new.`cause`, 1 WHERE new.`cause` IS NOT NULL ON CONFLICT DO UPDATE SET `count` = `count` + 1;
END;--> statement-breakpoint
CREATE INDEX `tasks_open` ON `tasks` (`created_at_ms`) WHERE ended_at_ms IS NULL;