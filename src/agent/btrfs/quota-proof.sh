#!/bin/sh
# Whether a volume counts what its subvolumes hold: writes into a subvolume of the platform's own and reads the kernel's count before and
# after. A rescan may end with "consistent" while nothing is counted, so only this says that limits hold.
#   quota-proof.sh MOUNT UUID    prints "BEFORE AFTER" in bytes; exits 3 when there is no room to write
set -eu
umask 077
mount=$1 groups=/sys/fs/btrfs/$2/qgroups
probe=$mount/.quota-probe
bytes=262144

[ -d "$probe" ] || btrfs subvolume create "$probe" >/dev/null
count() { # what is written reaches the counts with the commit
  sync -f "$probe"
  cat "$groups/0_$id/referenced"
}
id=$(btrfs inspect-internal rootid "$probe")
: > "$probe/written"
before=$(count)
head -c "$bytes" /dev/urandom > "$probe/written" || exit 3
after=$(count)
: > "$probe/written"
echo "$before $after"
