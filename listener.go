package slipway

import (
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Listener is a data plane elsewhere: a cluster that takes its work from here
// (contract §7). The data plane in the server's own process is none.
type Listener struct {
	ID          ListenerID
	Workspace   WorkspaceID
	Version     *string // of its program, nil while unknown
	ComputeType string  // "k8s"
	ComputeID   string  // names the cluster, unique in the workspace
	Namespaces  []string
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

// ListenerChange is what a PATCH of a listener asks for; nil changes nothing.
type ListenerChange struct {
	Version    *string
	Namespaces []string // nil: unchanged; empty: none
}

// maxComputeID bounds compute_id, in characters: it is part of an index.
const maxComputeID = 255

// CheckComputeID says what is wrong with the name of a cluster.
func CheckComputeID(id string) error {
	if n := utf8.RuneCountInString(id); n == 0 || n > maxComputeID || strings.ContainsRune(id, 0) {
		return Errorf(CodeInvalid, "Invalid compute_id: use 1 to %d characters, and no null character.", maxComputeID)
	}
	return nil
}

// Place returns the namespace that a deployment gets: the wanted one, which must
// be one of the listener's, or else the listener's first, if it has any.
func (l Listener) Place(wanted *string) (*string, error) {
	switch {
	case wanted != nil && slices.Contains(l.Namespaces, *wanted):
		return wanted, nil
	case wanted != nil:
		return nil, Errorf(CodeInvalid, "Source configuration error: 'source_config.listener_config.k8s_namespace' %s is not one of listener ID %s: %s.", quoted(*wanted), l.ID, PythonList(l.Namespaces))
	case len(l.Namespaces) == 0:
		return nil, nil
	}
	return &l.Namespaces[0], nil
}

// PythonList writes texts as the contract's own server does in its messages.
func PythonList[T ~string](texts []T) string {
	list := make([]string, len(texts))
	for i, t := range texts {
		list[i] = quoted(string(t))
	}
	return "[" + strings.Join(list, ", ") + "]"
}

func quoted(s string) string { return "'" + s + "'" }
