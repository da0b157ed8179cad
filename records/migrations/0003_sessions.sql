CREATE TABLE `sessions` (
	`hash` text PRIMARY KEY NOT NULL,
	`principal` text NOT NULL,
	`credential` text NOT NULL,
	`created_at_ms` integer NOT NULL,
	`expires_at_ms` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `sessions_by_expiry` ON `sessions` (`expires_at_ms`);--> statement-breakpoint
CREATE TABLE `sign_in_links` (
	`hash` text PRIMARY KEY NOT NULL,
	`expires_at_ms` integer NOT NULL
);
--> statement-breakpoint
DROP INDEX `device_updates_by_cause`;--> statement-breakpoint
CREATE INDEX `device_updates_by_end` ON `device_updates` (`task_id`,`ended_at_ms`,`outcome`) WHERE ended_at_ms IS NOT NULL;--> statement-breakpoint
CREATE INDEX `device_updates_failures` ON `device_updates` (`ended_at_ms`,`cause`) WHERE cause IS NOT NULL;--> statement-breakpoint
CREATE INDEX `device_updates_by_cause` ON `device_updates` (`task_id`,`cause`,`ordinal`) WHERE cause IS NOT NULL;--> statement-breakpoint
ALTER TABLE `tasks` ADD `started_by` text;--> statement-breakpoint
CREATE INDEX `tasks_by_reinitiated` ON `tasks` (`reinitiates`) WHERE reinitiates IS NOT NULL;