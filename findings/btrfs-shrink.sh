#!/bin/bash
# A shrink that does not fit ends the file system instead of being refused.
#
# Seen: Linux 6.18.44, btrfs-progs 6.2 (Debian 12). RAID1 for data and metadata on two devices of 768 MiB, 100 MiB of data, balanced once.
# `btrfs filesystem resize 2:300M` is asked for; 300 MiB would hold the data, but not the pieces that were given to data and metadata.
# Without the balance the kernel answers "No space left on device" and all goes on. After it, moving the last piece of metadata aborts a
# transaction (errno -28 in __btrfs_free_extent) and the kernel forces the whole file system read-only:
#
#   ERROR: unable to resize '...': Read-only file system
#   BTRFS: error (device loop0 state A) in __btrfs_free_extent:3233: errno=-28 No space left
#   BTRFS info (device loop0 state EA): forced readonly
#
# Expected: the resize is refused, the file system stays writable. After an unmount and a mount it is writable again and the data is whole.
# Exits 0 while the kernel behaves like that, 1 when it does not any more, 2 when it cannot be tried here. Needs root.
set -u
for tool in mkfs.btrfs btrfs losetup bwrap; do
  command -v "$tool" >/dev/null || { echo "needs $tool (apt-get install btrfs-progs mount bubblewrap)" >&2; exit 2; }
done
[ "$(id -u)" = 0 ] || { echo "needs root" >&2; exit 2; }
modprobe btrfs 2>/dev/null
grep -q btrfs /proc/filesystems || { echo "this kernel has no btrfs" >&2; exit 2; }
uname -sr
btrfs --version

work=$(mktemp -d /var/tmp/finding-btrfs.XXXXXX)
mount=$work/mnt
loops=()
clean() {
  mountpoint -q "$mount" && { umount "$mount" || umount --lazy "$mount"; }
  for loop in "${loops[@]}"; do losetup --detach "$loop"; done
  rm -rf "$work"
}
trap clean EXIT
mkdir "$mount"
for name in a b; do
  truncate --size 768M "$work/$name"
  loop=$(losetup --find --show "$work/$name") || exit 2
  loops+=("$loop")
done
first=${loops[0]} second=${loops[1]}

# mkfs asks every mounted device of the machine for its file; where no mount is to be seen, it asks its own only.
bwrap --ro-bind /usr /usr --symlink usr/bin /bin --symlink usr/sbin /sbin --symlink usr/lib /lib --symlink usr/lib64 /lib64 \
  --dev /dev --ro-bind /sys /sys --proc /proc --dev-bind "$first" "$first" --dev-bind "$second" "$second" \
  mkfs.btrfs --quiet --nodiscard --metadata raid1 --data raid1 "$first" "$second" 2>"$work/mkfs" || { cat "$work/mkfs" >&2; exit 2; }
mount -t btrfs -o "noatime,device=$first,device=$second" "$first" "$mount" || exit 2

head -c 104857600 /dev/urandom >"$mount/data"
sync -f "$mount"
sum=$(sha256sum <"$mount/data")
btrfs balance start --full-balance "$mount" || exit 2
echo "resize to 300 MiB:"
btrfs filesystem resize 2:300M "$mount" && { echo "it was possible: the kernel behaves differently now"; exit 1; }
options=$(awk -v at="$mount" '$2 == at { print $4 }' /proc/mounts)
echo "mounted with: $options"
if touch "$mount/new" 2>/dev/null; then
  echo "the file system is still writable: the kernel behaves differently now"
  exit 1
fi
echo "a write: $(touch "$mount/new" 2>&1)"
umount "$mount" && mount -t btrfs -o "noatime,device=$first,device=$second" "$first" "$mount" || exit 2
touch "$mount/new" && [ "$(sha256sum <"$mount/data")" = "$sum" ] || { echo "a fresh mount does not help"; exit 1; }
echo "as seen: a resize that does not fit made the file system read-only; a fresh mount is writable and the data is whole"
