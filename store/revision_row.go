package store

import (
	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/store/db"
)

func revisionRow(r slipway.Revision) db.Revision {
	row := db.Revision{
		ID:           string(r.ID),
		DeploymentID: string(r.Deployment),
		Number:       r.Number,
		Status:       string(r.Status),
		Message:      r.Message,
		Source:       string(r.Source),
		Config:       encode(revisionConfigRecord(r.Config)),
		SecretSetID:  string(r.Secrets),
		Deadline:     micros(r.Deadline),
		CreatedAt:    micros(r.CreatedAt),
		UpdatedAt:    micros(r.UpdatedAt),
		Version:      r.Version,
		ReturnsFrom:  string(r.ReturnsFrom),
	}
	if r.Failure != nil {
		row.Failure = encode(failureRecord(*r.Failure))
	}
	if r.Artefact.Built() {
		row.Artefact = encode(artefactRecord(r.Artefact))
	}
	return row
}

// revisionChange is what an update writes.
func revisionChange(r db.Revision) db.UpdateRevisionParams {
	return db.UpdateRevisionParams{
		ID:          r.ID,
		Status:      r.Status,
		Message:     r.Message,
		Failure:     r.Failure,
		Source:      r.Source,
		Config:      r.Config,
		SecretSetID: r.SecretSetID,
		Artefact:    r.Artefact,
		Deadline:    r.Deadline,
		UpdatedAt:   r.UpdatedAt,
		Version:     r.Version,
	}
}

func revision(r db.Revision) (slipway.Revision, error) {
	config, err := decode[revisionConfigRecord](r.Config)
	if err != nil {
		return slipway.Revision{}, err
	}
	artefact, err := decode[artefactRecord](r.Artefact)
	if err != nil {
		return slipway.Revision{}, err
	}
	failure, err := decode[*failureRecord](r.Failure)
	if err != nil {
		return slipway.Revision{}, err
	}
	return slipway.Revision{
		ID:         slipway.RevisionID(r.ID),
		Deployment: slipway.DeploymentID(r.DeploymentID),
		Number:     r.Number,
		Status:     slipway.RevisionStatus(r.Status),
		Message:    r.Message,
		Failure:    (*slipway.Failure)(failure),
		Source:     slipway.Source(r.Source),
		Config:     slipway.RevisionConfig(config),
		Secrets:    slipway.SecretSetID(r.SecretSetID),
		Artefact:   slipway.Artefact(artefact),
		Deadline:   moment(r.Deadline),
		CreatedAt:  moment(r.CreatedAt),
		UpdatedAt:  moment(r.UpdatedAt),
		Version:    r.Version,

		ReturnsFrom: slipway.RevisionID(r.ReturnsFrom),
	}, nil
}

// failureRecord has the fields of slipway.Failure.
type failureRecord struct {
	Phase   string `json:"phase"`
	Step    string `json:"step"`
	Code    string `json:"code"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
	Exit    *int   `json:"exit,omitempty"`
}

// artefactRecord has the fields of slipway.Artefact.
type artefactRecord struct {
	Kind    string            `json:"kind"`
	Digest  string            `json:"digest"`
	Image   string            `json:"image,omitempty"`
	Config  string            `json:"config,omitempty"`
	Runtime map[string]string `json:"runtime,omitempty"`

	TakesKeys bool `json:"takes_keys,omitempty"`
}
