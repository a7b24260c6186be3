-- The files of an upload have a digest of their own: packed again, they are the
-- same source.

-- +goose Up
ALTER TABLE uploads ADD COLUMN tree TEXT NOT NULL DEFAULT '';
