CREATE TABLE `audit_entries` (
	`id` integer PRIMARY KEY NOT NULL,
	`at_ms` integer NOT NULL,
	`actor` text NOT NULL,
	`action` text NOT NULL,
	`target` text,
	`product_key` text,
	`address` text,
	`outcome` text NOT NULL,
	`before` text,
	`after` text,
	`previous_hash` text NOT NULL,
	`hash` text NOT NULL
);
--> statement-breakpoint
CREATE INDEX `audit_by_actor` ON `audit_entries` (`actor`,`id`);--> statement-breakpoint
CREATE INDEX `audit_by_action` ON `audit_entries` (`action`,`id`);--> statement-breakpoint
CREATE INDEX `audit_by_target` ON `audit_entries` (`target`,`id`);--> statement-breakpoint
CREATE INDEX `audit_by_product` ON `audit_entries` (`product_key`,`id`);--> statement-breakpoint
CREATE TABLE `tokens` (
	`id` text PRIMARY KEY NOT NULL,
	`name` text NOT NULL,
	`role` text NOT NULL,
	`product_key` text,
	`hash` text NOT NULL,
	`created_by` text NOT NULL,
	`created_at_ms` integer NOT NULL,
	`expires_at_ms` integer,
	`last_used_at_ms` integer,
	`revoked_at_ms` integer,
	FOREIGN KEY (`product_key`) REFERENCES `products`(`product_key`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE UNIQUE INDEX `tokens_by_hash` ON `tokens` (`hash`);--> statement-breakpoint
CREATE UNIQUE INDEX `tokens_by_name` ON `tokens` (`name`) WHERE revoked_at_ms IS NULL;--> statement-breakpoint
CREATE INDEX `tokens_by_age` ON `tokens` (`created_at_ms`,`id`);--> statement-breakpoint
DROP INDEX `tasks_open_of_firmware`;--> statement-breakpoint
ALTER TABLE `tasks` ADD `paused_cause` text;--> statement-breakpoint
ALTER TABLE `tasks` ADD `paused_at_ms` integer;--> statement-breakpoint
ALTER TABLE `tasks` ADD `needs_approval` integer DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE `tasks` ADD `approval` text;--> statement-breakpoint
ALTER TABLE `tasks` ADD `approval_delivered` integer DEFAULT false NOT NULL;--> statement-breakpoint
CREATE INDEX `tasks_open_of_firmware` ON `tasks` (`firmware_id`,`kind`) WHERE ended_at_ms IS NULL;--> statement-breakpoint
ALTER TABLE `devices` ADD `revoked_at_ms` integer;--> statement-breakpoint
ALTER TABLE `firmware` ADD `signature` text;--> statement-breakpoint
ALTER TABLE `firmware` ADD `signature_key_id` text;--> statement-breakpoint
ALTER TABLE `products` ADD `trusted_keys` text DEFAULT '[]' NOT NULL;--> statement-breakpoint
CREATE TRIGGER `audit_entries_keep` BEFORE UPDATE ON `audit_entries` BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;--> statement-breakpoint
CREATE TRIGGER `audit_entries_stay` BEFORE DELETE ON `audit_entries` BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
