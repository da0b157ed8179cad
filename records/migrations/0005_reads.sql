CREATE TABLE `failure_counts` (
	`task_id` text NOT NULL,
	`cause` text NOT NULL,
	`count` integer NOT NULL,
	PRIMARY KEY(`task_id`, `cause`),
	FOREIGN KEY (`task_id`) REFERENCES `tasks`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
INSERT INTO `failure_counts` SELECT `task_id`, `cause`, count(*) FROM `device_updates` WHERE `cause` IS NOT NULL GROUP BY `task_id`, `cause`;--> statement-breakpoint
CREATE TRIGGER `failure_counts_update` AFTER UPDATE OF `cause` ON `device_updates` WHEN new.`cause` IS NOT old.`cause` BEGIN
	UPDATE `failure_counts` SET `count` = `count` - 1 WHERE `task_id` = old.`task_id` AND `cause` = old.`cause`;
	INSERT INTO `failure_counts` (`task_id`, `cause`, `count`) SELECT new.`task_id`, new.`cause`, 1 WHERE new.`cause` IS NOT NULL ON CONFLICT DO UPDATE SET `count` = `count` + 1;
END;--> statement-breakpoint
CREATE INDEX `tasks_open` ON `tasks` (`created_at_ms`) WHERE ended_at_ms IS NULL;--> statement-breakpoint
CREATE TABLE `device_counts` (
	`product_key` text NOT NULL,
	`online` integer NOT NULL,
	`devices` integer NOT NULL,
	PRIMARY KEY(`product_key`, `online`)
);
--> statement-breakpoint
CREATE TABLE `version_counts` (
	`product_key` text NOT NULL,
	`module` text NOT NULL,
	`version` text NOT NULL,
	`devices` integer NOT NULL,
	PRIMARY KEY(`product_key`, `module`, `version`)
);--> statement-breakpoint
INSERT INTO `device_counts` SELECT `product_key`, `online`, count(*) FROM `devices` GROUP BY `product_key`, `online`;--> statement-breakpoint
CREATE TRIGGER `device_counts_insert` AFTER INSERT ON `devices` BEGIN
	INSERT INTO `device_counts` (`product_key`, `online`, `devices`) VALUES (new.`product_key`, new.`online`, 1) ON CONFLICT DO UPDATE SET `devices` = `devices` + 1;
END;--> statement-breakpoint
CREATE TRIGGER `device_counts_update` AFTER UPDATE OF `online` ON `devices` WHEN new.`online` IS NOT old.`online` BEGIN
	UPDATE `device_counts` SET `devices` = `devices` - 1 WHERE `product_key` = old.`product_key` AND `online` = old.`online`;
	INSERT INTO `device_counts` (`product_key`, `online`, `devices`) VALUES (new.`product_key`, new.`online`, 1) ON CONFLICT DO UPDATE SET `devices` = `devices` + 1;
END;--> statement-breakpoint
CREATE TRIGGER `device_counts_delete` AFTER DELETE ON `devices` BEGIN
	UPDATE `device_counts` SET `devices` = `devices` - 1 WHERE `product_key` = old.`product_key` AND `online` = old.`online`;
END;--> statement-breakpoint
INSERT INTO `version_counts` SELECT `product_key`, `module`, `version`, count(*) FROM `device_versions` GROUP BY `product_key`, `module`, `version`;--> statement-breakpoint
CREATE TRIGGER `version_counts_insert` AFTER INSERT ON `device_versions` BEGIN
	INSERT INTO `version_counts` (`product_key`, `module`, `version`, `devices`) VALUES (new.`product_key`, new.`module`, new.`version`, 1) ON CONFLICT DO UPDATE SET `devices` = `devices` + 1;
END;--> statement-breakpoint
CREATE TRIGGER `version_counts_update` AFTER UPDATE OF `version` ON `device_versions` WHEN new.`version` IS NOT old.`version` BEGIN
	UPDATE `version_counts` SET `devices` = `devices` - 1 WHERE `product_key` = old.`product_key` AND `module` = old.`module` AND `version` = old.`version`;
	INSERT INTO `version_counts` (`product_key`, `module`, `version`, `devices`) VALUES (new.`product_key`, new.`module`, new.`version`, 1) ON CONFLICT DO UPDATE SET `devices` = `devices` + 1;
END;--> statement-breakpoint
CREATE TRIGGER `version_counts_delete` AFTER DELETE ON `device_versions` BEGIN
	UPDATE `version_counts` SET `devices` = `devices` - 1 WHERE `product_key` = old.`product_key` AND `module` = old.`module` AND `version` = old.`version`;
END;