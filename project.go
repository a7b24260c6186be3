package slipway

import (
	"encoding/json"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// TracingProject is where traces go. That of a deployment outlives it unless its
// deletion is asked for (contract §3); others are made by clients.
type TracingProject struct {
	ID          ProjectID
	Workspace   WorkspaceID
	Name        string
	Description string
	Extra       string       // JSON of whoever made it, an object; "" for none
	Deployment  DeploymentID // whose it is; "" for one that stands alone, or once that is gone
	Kept        bool         // made for a deployment and kept after its end: the name may be taken again
	Hidden      bool         // it is to be removed, with its deployment or by itself: nobody sees it, and its name is free
	CreatedAt   time.Time
	EndedAt     time.Time // as clients tell it; zero for not
	DueAt       time.Time // when it is to be looked after: made where traces go, or removed; zero for never
	Attempts    int       // of that, in vain
}

// NewProject is what a client asks for.
type NewProject struct {
	ID          ProjectID // "" for any
	Name        string
	Description string
	Extra       string
	Upsert      bool // one of the name is as good, and gets what else is said here
}

// Patch is what it says of a project that is there. What it leaves out changes
// nothing.
func (n NewProject) Patch() ProjectPatch {
	var p ProjectPatch
	if n.Description != "" {
		p.Description = &n.Description
	}
	if n.Extra != "" {
		p.Extra = &n.Extra
	}
	return p
}

// ProjectPatch is what a client changes of a project; nil leaves it as it is.
type ProjectPatch struct {
	Name        *string
	Description *string
	Extra       *string
	EndedAt     *time.Time
}

// ProjectFilter selects projects of a workspace that are seen, newest first.
// Zero fields select all.
type ProjectFilter struct {
	Workspace    WorkspaceID
	Deployment   DeploymentID
	IDs          []ProjectID
	Name         string // exact
	NameContains string
	Limit        int
	Offset       int
}

const (
	maxProjectName        = 500      // characters
	maxProjectDescription = 10_000   // characters
	maxProjectExtra       = 64 << 10 // bytes
)

// CheckProjectName says what is wrong with the name that a client gives a project.
func CheckProjectName(name string) error {
	n := utf8.RuneCountInString(name)
	if n == 0 || n > maxProjectName || strings.TrimSpace(name) == "" || !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl) {
		return Errorf(CodeInvalid, "Invalid project name %q: use 1 to %d characters, none of them a control character.", name, maxProjectName)
	}
	return nil
}

// Apply changes a project, or says what is wrong with the patch.
func (p *TracingProject) Apply(c ProjectPatch) error {
	set(&p.Name, c.Name)
	set(&p.Description, c.Description)
	set(&p.Extra, c.Extra)
	set(&p.EndedAt, c.EndedAt)
	p.EndedAt = p.EndedAt.UTC().Truncate(time.Microsecond)
	if err := CheckProjectName(p.Name); err != nil {
		return err
	}
	switch {
	case utf8.RuneCountInString(p.Description) > maxProjectDescription || !utf8.ValidString(p.Description):
		return Errorf(CodeInvalid, "The description of a project is UTF-8, of at most %d characters.", maxProjectDescription)
	case len(p.Extra) > maxProjectExtra:
		return Errorf(CodeInvalid, "The 'extra' of a project has at most %d bytes.", maxProjectExtra)
	case p.Extra != "" && json.Unmarshal([]byte(p.Extra), &map[string]json.RawMessage{}) != nil:
		return Errorf(CodeInvalid, "The 'extra' of a project must be a JSON object.")
	}
	return nil
}
