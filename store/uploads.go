package store

import (
	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/store/db"
)

func (t Tx) InsertUpload(u slipway.Upload) error {
	return did(t.q.InsertUpload(t.ctx, db.InsertUploadParams(uploadRow(u))), "insert upload", u.ID)
}

func (t Tx) Upload(id slipway.UploadID) (slipway.Upload, error) {
	row, err := t.q.GetUpload(t.ctx, string(id))
	return one(row, err, sure(upload), "upload", id)
}

func (t Tx) UploadByObject(d slipway.DeploymentID, object string) (slipway.Upload, error) {
	row, err := t.q.GetUploadByObject(t.ctx, db.GetUploadByObjectParams{DeploymentID: string(d), Object: object})
	return one(row, err, sure(upload), "upload", object)
}

func (t Tx) UpdateUpload(u slipway.Upload) error {
	rows, err := t.q.UpdateUpload(t.ctx, db.UpdateUploadParams{
		ID: string(u.ID), Digest: u.Digest, Tree: u.Tree, Size: u.Size, ExpiresAt: micros(u.ExpiresAt),
	})
	return hit(rows, err, "update upload", u.ID)
}

func (t Tx) DeleteUpload(id slipway.UploadID) error {
	rows, err := t.q.DeleteUpload(t.ctx, string(id))
	return hit(rows, err, "delete upload", id)
}

func (t Tx) ListUploads(d slipway.DeploymentID) ([]slipway.Upload, error) {
	rows, err := t.q.ListUploads(t.ctx, string(d))
	return many(rows, err, sure(upload), "list uploads of", d)
}

func uploadRow(u slipway.Upload) db.Upload {
	return db.Upload{
		ID:           string(u.ID),
		DeploymentID: string(u.Deployment),
		Object:       u.Object,
		Digest:       u.Digest,
		Size:         u.Size,
		CreatedAt:    micros(u.CreatedAt),
		ExpiresAt:    micros(u.ExpiresAt),
		Tree:         u.Tree,
	}
}

func upload(r db.Upload) slipway.Upload {
	return slipway.Upload{
		ID:         slipway.UploadID(r.ID),
		Deployment: slipway.DeploymentID(r.DeploymentID),
		Object:     r.Object,
		Digest:     r.Digest,
		Tree:       r.Tree,
		Size:       r.Size,
		CreatedAt:  moment(r.CreatedAt),
		ExpiresAt:  moment(r.ExpiresAt),
	}
}
