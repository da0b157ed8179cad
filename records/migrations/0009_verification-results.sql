ALTER TABLE `firmware` ADD `last_verification` text;--> statement-breakpoint
ALTER TABLE `firmware` ADD `verification_successes` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `products` ADD `verification_successes_min` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `products` ADD `deleted_at_ms` integer;--> statement-breakpoint
UPDATE `firmware` SET
	`last_verification` = (SELECT json_object('taskId', t.`id`, 'status', t.`status`, 'succeeded', t.`succeeded`, 'failed', t.`failed`, 'cancelled', t.`cancelled`, 'total', t.`total`, 'endedAtMs', t.`ended_at_ms`) FROM `tasks` t WHERE t.`firmware_id` = `firmware`.`id` AND t.`kind` = 'verification' AND t.`status` = 'completed' ORDER BY t.`ended_at_ms` DESC LIMIT 1),
	`verification_successes` = (SELECT count(DISTINCT u.`device_name`) FROM `tasks` t JOIN `device_updates` u ON u.`task_id` = t.`id` WHERE t.`firmware_id` = `firmware`.`id` AND t.`kind` = 'verification' AND u.`outcome` = 'succeeded');
