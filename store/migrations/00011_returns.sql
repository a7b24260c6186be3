-- A revision may be made by itself, in the place of one that failed.

-- +goose Up
ALTER TABLE revisions ADD COLUMN returns_from TEXT NOT NULL DEFAULT ''; -- '' for one that was asked for
