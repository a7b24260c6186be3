package reconcile

import "github.com/slipwayhq/slipway"

// Meter measures what runs.
type Meter interface {
	// Watch begins to measure a deployment, or says what there is of it now: its
	// instances as the driver sees them, its own Redis among them, and which of
	// them serve.
	Watch(d slipway.Deployment, instances []slipway.Observed, serving []slipway.InstanceID)
	// Unwatch forgets a deployment.
	Unwatch(slipway.DeploymentID)
}

// watch tells those who look on what there is.
func (r *Reconciler) watch(w world) {
	r.config.Vitals.Watch(w.Deployment.ID, served(w))
	r.measure(w)
}

// measure tells the meter what there is, until the deployment is being deleted.
func (r *Reconciler) measure(w world) {
	m, d := r.config.Meter, w.Deployment
	if m == nil {
		return
	}
	if d.Deleting() {
		m.Unwatch(d.ID)
		return
	}
	var instances []slipway.Observed
	var serving []slipway.InstanceID
	for _, i := range w.Instances {
		if o, ok := w.seen[i.ID]; ok {
			instances = append(instances, o)
		}
		if w.serves(i) {
			serving = append(serving, i.ID)
		}
	}
	if w.RedisPort != 0 {
		instances = append(instances, w.redis)
	}
	m.Watch(d, instances, serving)
}
