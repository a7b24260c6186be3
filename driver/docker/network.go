package docker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/internal/engine"
)

func networkName(id slipway.DeploymentID) string { return "slipway-" + string(id) }

// connect makes the network of a deployment, unless it is there.
func (d *Driver) connect(ctx context.Context, id slipway.DeploymentID) error {
	if err := d.connecting.take(ctx); err != nil { // an engine makes two of one name
		return err
	}
	defer d.connecting.leave()
	there, err := d.network(ctx, id)
	if there != "" || err != nil {
		return err
	}
	return d.makeNetwork(ctx, id)
}

// network returns the id of a deployment's network, "" if there is none.
func (d *Driver) network(ctx context.Context, id slipway.DeploymentID) (string, error) {
	found, err := d.Engine.NetworkInspect(ctx, networkName(id), client.NetworkInspectOptions{})
	if engine.NotFound(err) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("inspect network: %w", d.Engine.Explain(err))
	}
	if !d.owns(found.Network.Labels, id) {
		return "", fmt.Errorf("the network named %s is none of this installation's: remove it", networkName(id))
	}
	return found.Network.ID, nil
}

// owns says whether labels are those of something made here for a deployment.
func (d *Driver) owns(labels map[string]string, id slipway.DeploymentID) bool {
	return labels[labelOwner] == d.Owner && labels[labelDeployment] == string(id)
}

// makeNetwork leaves the choice of addresses to an engine that was told its
// pools. Any other has about thirty networks to give: it is told which to use.
func (d *Driver) makeNetwork(ctx context.Context, id slipway.DeploymentID) error {
	info, err := d.Engine.Info(ctx, client.InfoOptions{})
	if err != nil {
		return fmt.Errorf("ask the engine for its pools of addresses: %w", d.Engine.Explain(err))
	}
	if len(info.Info.DefaultAddressPools) > 0 {
		return d.createNetwork(ctx, id, nil)
	}
	taken, err := d.taken(ctx)
	if err != nil {
		return err
	}
	for range subnetTries {
		subnet, ok := chooseSubnet(string(id), taken)
		if !ok {
			return fmt.Errorf("no addresses are left in %s for a network", networks)
		}
		err := d.createNetwork(ctx, id, &network.IPAM{Config: []network.IPAMConfig{{Subnet: subnet}}})
		if err == nil || !overlaps(err) {
			return err
		}
		taken = append(taken, subnet)
	}
	return errors.New("no addresses were found for a network that the engine accepts")
}

func (d *Driver) createNetwork(ctx context.Context, id slipway.DeploymentID, addresses *network.IPAM) error {
	_, err := d.Engine.NetworkCreate(ctx, networkName(id), client.NetworkCreateOptions{
		Driver: "bridge", IPAM: addresses,
		Labels: map[string]string{labelOwner: d.Owner, labelDeployment: string(id)},
	})
	if err != nil {
		return fmt.Errorf("create network: %w", d.Engine.Explain(err))
	}
	return nil
}

// overlaps says whether the engine refuses addresses because another network has
// them. It tells it in words only.
func overlaps(err error) bool {
	return strings.Contains(err.Error(), "overlap") || strings.Contains(err.Error(), "conflicts with network")
}

// taken are the addresses of the engine's networks and of the machine's own.
func (d *Driver) taken(ctx context.Context) ([]netip.Prefix, error) {
	found, err := d.Engine.NetworkList(ctx, client.NetworkListOptions{})
	if err != nil {
		return nil, fmt.Errorf("list networks: %w", d.Engine.Explain(err))
	}
	var taken []netip.Prefix
	for _, n := range found.Items {
		for _, c := range n.IPAM.Config {
			taken = append(taken, c.Subnet)
		}
	}
	own, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("list the machine's addresses: %w", err)
	}
	for _, address := range own {
		if prefix, err := netip.ParsePrefix(address.String()); err == nil {
			taken = append(taken, prefix.Masked())
		}
	}
	return append(taken, routes()...), nil
}

// errForeign means that something of ours is left to somebody else.
var errForeign = errors.New("a container of somebody else is in it: take it out, or remove it")

// disconnect removes the network of a deployment of which no container is left.
// One that somebody else put a container into is left to them (errForeign).
func (d *Driver) disconnect(ctx context.Context, id slipway.DeploymentID) error {
	if err := d.connecting.take(ctx); err != nil {
		return err
	}
	defer d.connecting.leave()
	left, err := d.Engine.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: d.oursOf(id)})
	if err != nil || len(left.Items) > 0 {
		return d.Engine.Explain(err)
	}
	found, err := d.Engine.NetworkList(ctx, client.NetworkListOptions{Filters: d.oursOf(id)})
	if err != nil {
		return fmt.Errorf("list networks: %w", d.Engine.Explain(err))
	}
	for _, n := range found.Items {
		if err := d.removeNetwork(ctx, n.Network); err != nil {
			return err
		}
	}
	return nil
}

func (d *Driver) removeNetwork(ctx context.Context, n network.Network) error {
	_, err := d.Engine.NetworkRemove(ctx, n.ID, client.NetworkRemoveOptions{})
	switch {
	case err == nil, engine.NotFound(err):
		return nil
	case errdefs.IsPermissionDenied(err), errdefs.IsConflict(err): // "has active endpoints"
		return fmt.Errorf("network %s: %w (%w)", n.Name, errForeign, d.Engine.Explain(err))
	}
	return fmt.Errorf("remove network: %w", d.Engine.Explain(err))
}

// sweepNetworks removes those of deployments that have neither container nor
// folder: what a lost data folder, or somebody else's container, left.
func (d *Driver) sweepNetworks(ctx context.Context) error {
	found, err := d.Engine.NetworkList(ctx, client.NetworkListOptions{Filters: d.ours()})
	if err != nil {
		return fmt.Errorf("list networks: %w", d.Engine.Explain(err))
	}
	for _, n := range found.Items {
		id := slipway.DeploymentID(n.Labels[labelDeployment])
		kept, err := d.folders(id)
		if err == nil && len(kept) == 0 && n.Name == networkName(id) {
			err = d.disconnect(ctx, id)
		}
		if errors.Is(err, errForeign) {
			d.Logger.Warn("a network is left", slog.String("deployment", string(id)), slog.Any("error", err))
			err = nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}
