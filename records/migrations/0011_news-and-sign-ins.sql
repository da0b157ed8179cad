DROP INDEX `device_updates_failing`;--> statement-breakpoint
ALTER TABLE `device_updates` ADD `target_heard_at_ms` integer;--> statement-breakpoint
ALTER TABLE `device_updates` ADD `news_at_ms` integer;--> statement-breakpoint
ALTER TABLE `device_updates` ADD `late_report_at_ms` integer;--> statement-breakpoint
CREATE INDEX `device_updates_news` ON `device_updates` (`news_at_ms`,`id`) WHERE news_at_ms IS NOT NULL AND status IN ('pending', 'notified', 'upgrading');--> statement-breakpoint
ALTER TABLE `devices` ADD `refused_sign_in` text;--> statement-breakpoint
ALTER TABLE `devices` ADD `name_clash` text;--> statement-breakpoint
UPDATE `device_updates` SET `target_heard_at_ms` = `target_reported_at_ms`, `news_at_ms` = coalesce(CASE WHEN `target_signalled` = 0 THEN `target_reported_at_ms` END, CASE WHEN `failure_signalled` = 0 THEN json_extract(`reported_failure`, '$.atMs') END)
	WHERE `status` IN ('pending', 'notified', 'upgrading') AND (`target_reported_at_ms` IS NOT NULL OR (`reported_failure` IS NOT NULL AND `failure_signalled` = 0));
