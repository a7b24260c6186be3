package langsmith

import (
	"net/http"

	"github.com/slipwayhq/slipway"
)

// about is what SDKs go by. They want every key of the configuration of batches
// or none of it, and a version that they know to have what is served here.
var about = map[string]any{
	"version": "0.16.14",
	"batch_ingest_config": map[string]any{
		"use_multipart_endpoint":    true,
		"size_limit":                100,
		"size_limit_bytes":          20 << 20,
		"scale_up_qsize_trigger":    1000,
		"scale_up_nthreads_limit":   16,
		"scale_down_nempty_trigger": 4,
	},
	"instance_flags": map[string]any{
		"zstd_compression_enabled":           true,
		"gzip_body_enabled":                  true,
		"sdb_query_enabled":                  false,
		"ch_query_enabled":                   true,
		"dataset_examples_multipart_enabled": false,
	},
}

func (h *Handler) info(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, about) }

// settings tells of the workspace.
func (h *Handler) settings(w http.ResponseWriter, r *http.Request, who slipway.Principal) error {
	workspace, err := h.Projects.GetWorkspace(r.Context(), who, who.Workspace)
	if err != nil {
		return err
	}
	answer(w, http.StatusOK, map[string]any{
		"id": workspace.ID, "display_name": workspace.Name, "created_at": written(workspace.CreatedAt), "tenant_handle": nil,
	})
	return nil
}

// submitMetadata takes what Agent Servers tell their vendor about themselves. It
// is kept nowhere.
func (h *Handler) submitMetadata(w http.ResponseWriter, _ *http.Request, _ slipway.Principal) error {
	w.WriteHeader(http.StatusNoContent)
	return nil
}
