package confine

import (
	"errors"
	"io/fs"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// System are the places that every confined program may read.
var System = []string{
	"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc", "/opt",
	"/nix/store", "/run/current-system", "/gnu/store", "/var/lib/ca-certificates",
	"/proc", "/sys", "/dev/random", "/dev/urandom",
	"/run/systemd/resolve", "/run/resolvconf", "/run/nscd",
}

// devices that a confined program may write to.
var devices = []string{"/dev/null", "/dev/zero", "/dev/full"}

const (
	reading = unix.LANDLOCK_ACCESS_FS_EXECUTE | unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_READ_DIR
	// ofFiles are the rights that make sense for what is no folder.
	ofFiles = unix.LANDLOCK_ACCESS_FS_EXECUTE | unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_READ_FILE |
		unix.LANDLOCK_ACCESS_FS_TRUNCATE | unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
)

// LandlockVersion is that of the kernel, 0 if it has none.
func LandlockVersion() int {
	version, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 {
		return 0
	}
	return int(version)
}

// rights that a version of Landlock knows of files: each came with others.
func rights(version int) uint64 {
	all := uint64(unix.LANDLOCK_ACCESS_FS_MAKE_SYM<<1 - 1)
	if version >= 2 {
		all |= unix.LANDLOCK_ACCESS_FS_REFER
	}
	if version >= 3 {
		all |= unix.LANDLOCK_ACCESS_FS_TRUNCATE
	}
	if version >= 5 {
		all |= unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
	}
	return all
}

// ruleset of a version: from the sixth on, no signals to and no abstract
// sockets of others.
func ruleset(version int) (attr unix.LandlockRulesetAttr, size uintptr) {
	attr.Handled_access_fs = rights(version)
	size = unsafe.Sizeof(attr.Handled_access_fs)
	if version >= 6 {
		attr.Scoped = unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | unix.LANDLOCK_SCOPE_SIGNAL
		size = unsafe.Offsetof(attr.Scoped) + unsafe.Sizeof(attr.Scoped)
	}
	return attr, size
}

// confine makes a ruleset. It is open until the program begins.
func (p *Policy) confine() ([]call, error) {
	version := LandlockVersion()
	if !p.Confined || version == 0 {
		return nil, nil
	}
	attr, size := ruleset(version)
	fd, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&attr)), size, 0)
	if errno != 0 {
		return nil, failed("make a Landlock ruleset", errno)
	}
	for _, grant := range []struct {
		paths  []string
		access uint64
	}{
		{System, reading}, {p.Read, reading}, {devices, attr.Handled_access_fs}, {p.Write, attr.Handled_access_fs},
	} {
		for _, path := range grant.paths {
			if err := allow(int(fd), path, grant.access&attr.Handled_access_fs); err != nil {
				return nil, failed("allow "+path, err)
			}
		}
	}
	return []call{{doing: "apply Landlock", number: unix.SYS_LANDLOCK_RESTRICT_SELF, args: [3]uintptr{fd}}}, nil
}

// allow grants rights to a path and all below it. What is not there, or can not
// be reached anyway, needs none.
func allow(ruleset int, path string, access uint64) error {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, os.ErrPermission) || errors.Is(err, unix.ENOTDIR) {
		return nil
	}
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		return err
	}
	if stat.Mode&unix.S_IFMT != unix.S_IFDIR {
		access &= ofFiles
	}
	rule := unix.LandlockPathBeneathAttr{Allowed_access: access, Parent_fd: int32(fd)}
	_, _, errno := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, uintptr(ruleset), unix.LANDLOCK_RULE_PATH_BENEATH, uintptr(unsafe.Pointer(&rule)), 0, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}
