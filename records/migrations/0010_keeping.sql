CREATE TABLE `audit_anchors` (
	`entry_id` integer PRIMARY KEY NOT NULL,
	`hash` text NOT NULL,
	`archived_at_ms` integer NOT NULL
);
--> statement-breakpoint
DROP INDEX `device_updates_failures`;--> statement-breakpoint
CREATE INDEX `device_updates_failures` ON `device_updates` (`ended_at_ms`,`cause`,`product_key`) WHERE cause IS NOT NULL;--> statement-breakpoint
ALTER TABLE `products` ADD `trust_undecided` integer DEFAULT false NOT NULL;--> statement-breakpoint
DROP TRIGGER `audit_entries_stay`;--> statement-breakpoint
CREATE TRIGGER `audit_entries_stay` BEFORE DELETE ON `audit_entries` WHEN old.`id` > coalesce((SELECT max(`entry_id`) FROM `audit_anchors`), 0) BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;--> statement-breakpoint
CREATE TRIGGER `audit_entries_replace` BEFORE INSERT ON `audit_entries` WHEN EXISTS (SELECT 1 FROM `audit_entries` WHERE `id` = new.`id`) OR new.`id` <= coalesce((SELECT max(`entry_id`) FROM `audit_anchors`), 0) BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;--> statement-breakpoint
CREATE TRIGGER `audit_anchors_true` BEFORE INSERT ON `audit_anchors` WHEN NOT EXISTS (SELECT 1 FROM `audit_entries` WHERE `id` = new.`entry_id` AND `hash` = new.`hash`) BEGIN SELECT RAISE(ABORT, 'an anchor of the audit log is the hash of one of its entries'); END;--> statement-breakpoint
CREATE TRIGGER `audit_anchors_keep` BEFORE UPDATE ON `audit_anchors` BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;--> statement-breakpoint
CREATE TRIGGER `audit_anchors_stay` BEFORE DELETE ON `audit_anchors` BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;--> statement-breakpoint
CREATE TRIGGER `audit_anchors_replace` BEFORE INSERT ON `audit_anchors` WHEN EXISTS (SELECT 1 FROM `audit_anchors` WHERE `entry_id` >= new.`entry_id`) BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
