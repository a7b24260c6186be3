-- Where the last state of a deployment was put before it was removed.

-- +goose Up
ALTER TABLE deployments ADD COLUMN final_snapshot TEXT NOT NULL DEFAULT '';
