ALTER TABLE `device_updates` ADD `last_download_at_ms` integer;--> statement-breakpoint
ALTER TABLE `device_updates` ADD `away_since_ms` integer;--> statement-breakpoint
ALTER TABLE `device_updates` ADD `back_at_ms` integer;