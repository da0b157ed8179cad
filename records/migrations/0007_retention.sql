ALTER TABLE `tasks` ADD `forgotten_at_ms` integer;--> statement-breakpoint
CREATE INDEX `tasks_by_end` ON `tasks` (`ended_at_ms`) WHERE ended_at_ms IS NOT NULL;--> statement-breakpoint
CREATE INDEX `tasks_forgotten` ON `tasks` (`forgotten_at_ms`) WHERE forgotten_at_ms IS NOT NULL;