CREATE TABLE `change_counter` (
	`id` integer PRIMARY KEY NOT NULL,
	`value` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `claims` (
	`task_id` text NOT NULL,
	`product_key` text NOT NULL,
	`module` text NOT NULL,
	`source_version` text NOT NULL,
	`released_at_ms` integer,
	PRIMARY KEY(`task_id`, `source_version`),
	FOREIGN KEY (`task_id`) REFERENCES `tasks`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE UNIQUE INDEX `claims_open` ON `claims` (`product_key`,`module`,`source_version`) WHERE released_at_ms IS NULL;--> statement-breakpoint
CREATE TABLE `device_updates` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`task_id` text NOT NULL,
	`ordinal` integer NOT NULL,
	`product_key` text NOT NULL,
	`device_name` text NOT NULL,
	`module` text NOT NULL,
	`protocol` text NOT NULL,
	`attempt` integer NOT NULL,
	`status` text DEFAULT 'pending' NOT NULL,
	`outcome` text,
	`step` integer,
	`cause` text,
	`detail` text,
	`begun_at_ms` integer,
	`notified_at_ms` integer,
	`notifications` integer DEFAULT 0 NOT NULL,
	`silences` integer DEFAULT 0 NOT NULL,
	`started_at_ms` integer,
	`last_progress_at_ms` integer,
	`hundred_at_ms` integer,
	`ended_at_ms` integer,
	`run_id` text,
	`created_at_ms` integer NOT NULL,
	`cancel_requested_at_ms` integer,
	`cancel_delivered` integer DEFAULT false NOT NULL,
	`progress_signalled` integer DEFAULT false NOT NULL,
	`hundred_signalled` integer DEFAULT false NOT NULL,
	`failure_signalled` integer DEFAULT false NOT NULL,
	`reported_failure` text,
	`online_signals` integer DEFAULT 0 NOT NULL,
	`online_signalled_at_ms` integer,
	`change` integer NOT NULL,
	FOREIGN KEY (`task_id`) REFERENCES `tasks`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE UNIQUE INDEX `device_updates_by_place` ON `device_updates` (`task_id`,`ordinal`);--> statement-breakpoint
CREATE UNIQUE INDEX `device_updates_by_device` ON `device_updates` (`task_id`,`device_name`);--> statement-breakpoint
CREATE INDEX `device_updates_by_status` ON `device_updates` (`task_id`,`status`,`ordinal`);--> statement-breakpoint
CREATE INDEX `device_updates_by_outcome` ON `device_updates` (`task_id`,`outcome`,`ordinal`);--> statement-breakpoint
CREATE INDEX `device_updates_by_cause` ON `device_updates` (`task_id`,`cause`) WHERE cause IS NOT NULL;--> statement-breakpoint
CREATE INDEX `device_updates_by_change` ON `device_updates` (`task_id`,`change`);--> statement-breakpoint
CREATE INDEX `device_updates_history` ON `device_updates` (`product_key`,`device_name`,`id`);--> statement-breakpoint
CREATE INDEX `device_updates_open` ON `device_updates` (`product_key`,`device_name`) WHERE status IN ('pending', 'notified', 'upgrading') AND begun_at_ms IS NOT NULL;--> statement-breakpoint
CREATE INDEX `device_updates_failing` ON `device_updates` (`id`) WHERE reported_failure IS NOT NULL AND failure_signalled = 0;--> statement-breakpoint
CREATE INDEX `device_updates_to_cancel` ON `device_updates` (`id`) WHERE cancel_requested_at_ms IS NOT NULL AND cancel_delivered = 0;--> statement-breakpoint
CREATE TABLE `device_versions` (
	`product_key` text NOT NULL,
	`device_name` text NOT NULL,
	`module` text NOT NULL,
	`version` text NOT NULL,
	`reported_at_ms` integer NOT NULL,
	PRIMARY KEY(`product_key`, `device_name`, `module`)
);
--> statement-breakpoint
CREATE INDEX `device_versions_by_version` ON `device_versions` (`product_key`,`module`,`version`,`device_name`);--> statement-breakpoint
CREATE TABLE `devices` (
	`product_key` text NOT NULL,
	`device_name` text NOT NULL,
	`device_secret` text NOT NULL,
	`protocol` text NOT NULL,
	`online` integer DEFAULT false NOT NULL,
	`connection_id` text,
	`last_seen_at_ms` integer,
	`created_at_ms` integer NOT NULL,
	`registration` text,
	PRIMARY KEY(`product_key`, `device_name`),
	FOREIGN KEY (`product_key`) REFERENCES `products`(`product_key`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE INDEX `devices_by_online` ON `devices` (`product_key`,`online`,`device_name`);--> statement-breakpoint
CREATE INDEX `devices_online` ON `devices` (`online`) WHERE online = 1;--> statement-breakpoint
CREATE INDEX `devices_by_registration` ON `devices` (`registration`) WHERE registration IS NOT NULL;--> statement-breakpoint
CREATE TABLE `firmware` (
	`id` text PRIMARY KEY NOT NULL,
	`name` text NOT NULL,
	`product_key` text NOT NULL,
	`module` text NOT NULL,
	`version` text NOT NULL,
	`size_bytes` integer NOT NULL,
	`sign_method` text NOT NULL,
	`sign` text NOT NULL,
	`sha256` text NOT NULL,
	`created_at_ms` integer NOT NULL,
	`verified_at_ms` integer,
	`deleted_at_ms` integer,
	FOREIGN KEY (`product_key`) REFERENCES `products`(`product_key`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE UNIQUE INDEX `firmware_version` ON `firmware` (`product_key`,`module`,`version`) WHERE deleted_at_ms IS NULL;--> statement-breakpoint
CREATE INDEX `firmware_by_age` ON `firmware` (`created_at_ms`,`id`);--> statement-breakpoint
CREATE INDEX `firmware_by_file` ON `firmware` (`sha256`);--> statement-breakpoint
CREATE TABLE `idempotency_keys` (
	`key` text PRIMARY KEY NOT NULL,
	`fingerprint` text NOT NULL,
	`resource` text NOT NULL,
	`created_at_ms` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `idempotency_keys_by_age` ON `idempotency_keys` (`created_at_ms`);--> statement-breakpoint
CREATE TABLE `products` (
	`product_key` text PRIMARY KEY NOT NULL,
	`name` text NOT NULL,
	`created_at_ms` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `settings` (
	`name` text PRIMARY KEY NOT NULL,
	`value` text NOT NULL
);
--> statement-breakpoint
CREATE TABLE `tasks` (
	`id` text PRIMARY KEY NOT NULL,
	`kind` text NOT NULL,
	`status` text DEFAULT 'pending' NOT NULL,
	`firmware_id` text NOT NULL,
	`product_key` text NOT NULL,
	`source_versions` text NOT NULL,
	`policy` text NOT NULL,
	`reinitiates` text,
	`run_id` text,
	`created_at_ms` integer NOT NULL,
	`started_at_ms` integer,
	`ended_at_ms` integer,
	`cancel_requested_at_ms` integer,
	`end_requested_at_ms` integer,
	`start_delivered` integer DEFAULT false NOT NULL,
	`cancel_delivered` integer DEFAULT false NOT NULL,
	`end_delivered` integer DEFAULT false NOT NULL,
	`pending` integer DEFAULT 0 NOT NULL,
	`notified` integer DEFAULT 0 NOT NULL,
	`upgrading` integer DEFAULT 0 NOT NULL,
	`succeeded` integer DEFAULT 0 NOT NULL,
	`failed` integer DEFAULT 0 NOT NULL,
	`cancelled` integer DEFAULT 0 NOT NULL,
	`total` integer DEFAULT 0 NOT NULL,
	`change` integer NOT NULL,
	FOREIGN KEY (`firmware_id`) REFERENCES `firmware`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE INDEX `tasks_by_age` ON `tasks` (`created_at_ms`,`id`);--> statement-breakpoint
CREATE INDEX `tasks_by_firmware` ON `tasks` (`firmware_id`,`created_at_ms`,`id`);--> statement-breakpoint
CREATE INDEX `tasks_by_product` ON `tasks` (`product_key`,`created_at_ms`,`id`);--> statement-breakpoint
CREATE INDEX `tasks_by_status` ON `tasks` (`status`,`created_at_ms`,`id`);--> statement-breakpoint
CREATE INDEX `tasks_by_change` ON `tasks` (`change`);