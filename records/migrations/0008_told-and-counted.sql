ALTER TABLE `device_updates` ADD `target_signalled` integer DEFAULT false NOT NULL;--> statement-breakpoint
CREATE INDEX `tasks_left_open` ON `tasks` (`ended_at_ms`) WHERE ended_at_ms IS NOT NULL AND pending + notified + upgrading > 0;--> statement-breakpoint
DELETE FROM `version_counts` WHERE `devices` <= 0;--> statement-breakpoint
DROP TRIGGER `version_counts_update`;--> statement-breakpoint
DROP TRIGGER `version_counts_delete`;--> statement-breakpoint
CREATE TRIGGER `version_counts_update` AFTER UPDATE OF `version` ON `device_versions` WHEN new.`version` IS NOT old.`version` BEGIN
	UPDATE `version_counts` SET `devices` = `devices` - 1 WHERE `product_key` = old.`product_key` AND `module` = old.`module` AND `version` = old.`version`;
	DELETE FROM `version_counts` WHERE `product_key` = old.`product_key` AND `module` = old.`module` AND `version` = old.`version` AND `devices` <= 0;
	INSERT INTO `version_counts` (`product_key`, `module`, `version`, `devices`) VALUES (new.`product_key`, new.`module`, new.`version`, 1) ON CONFLICT DO UPDATE SET `devices` = `devices` + 1;
END;--> statement-breakpoint
CREATE TRIGGER `version_counts_delete` AFTER DELETE ON `device_versions` BEGIN
	UPDATE `version_counts` SET `devices` = `devices` - 1 WHERE `product_key` = old.`product_key` AND `module` = old.`module` AND `version` = old.`version`;
	DELETE FROM `version_counts` WHERE `product_key` = old.`product_key` AND `module` = old.`module` AND `version` = old.`version` AND `devices` <= 0;
END;
