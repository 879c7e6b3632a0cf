#!/bin/sh
# One throw-away process per call does all that an account's subvolume needs; the agent itself never touches a volume.
#   account-home.sh ensure MOUNT NAME UID BYTES SKELETON    prints "created ID" or "kept ID"
#   account-home.sh remove MOUNT NAME                       prints "removed" or "absent"
# A new home is made under a name that only root can reach and renamed when it is complete. An existing one belongs to its
# member, who may have put links anywhere: of that one only the quota is set, and nothing in it is opened.
set -eu
umask 077
action=$1 mount=$2 name=$3
home=$mount/accounts/$name
new=$mount/accounts/.new-$name
gone=$mount/accounts/.gone-$name

drop() { # a subvolume with everything in it, and its quota group
  [ -d "$1" ] || return 0
  # Members may have made subvolumes of their own below; the root of each has inode number 256 (btrfs(5)).
  find "$1" -mindepth 1 -depth -type d -inum 256 -exec btrfs subvolume delete {} \; >/dev/null
  id=$(btrfs inspect-internal rootid "$1")
  btrfs subvolume delete "$1" >/dev/null
  # The kernel keeps the group until the subvolume is cleaned away; a group without one counts nothing.
  btrfs qgroup destroy "0/$id" "$mount" 2>/dev/null || :
}

case $action in
ensure)
  uid=$4 bytes=$5 skeleton=$6
  if [ -d "$home" ]; then
    btrfs qgroup limit "$bytes" "$home"
    echo "kept $(btrfs inspect-internal rootid "$home")"
    exit 0
  fi
  drop "$new"
  btrfs subvolume create "$new" >/dev/null
  btrfs qgroup limit "$bytes" "$new"
  mkdir -m 0700 "$new/home" "$new/tmp" "$new/www"
  for file in README.txt bashrc gitconfig profile vimrc pythonstartup.py; do
    case $file in README.txt) target=$file ;; *) target=.$file ;; esac
    install -m 0644 "$skeleton/$file" "$new/home/$target"
  done
  chown -R "$uid:$uid" "$new/home" "$new/tmp" "$new/www"
  chmod 0755 "$new"
  sync -f "$new"
  mv -T "$new" "$home"
  sync -f "$home"
  echo "created $(btrfs inspect-internal rootid "$home")"
  ;;
remove)
  found=absent
  drop "$new"
  drop "$gone"
  if [ -d "$home" ]; then
    mv -T "$home" "$gone"
    drop "$gone"
    found=removed
  fi
  echo "$found"
  ;;
*)
  echo "unknown action" >&2
  exit 2
  ;;
esac
