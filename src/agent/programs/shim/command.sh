#!/bin/sh
# Runs the command of a task inside the sandbox with the member's rights. Whatever has to look at member storage is done here.
#
# Usage: command.sh PYTHON_VERSION BARE_SCRIPTS COMMAND
# BARE_SCRIPTS yes: a command that is nothing but the path of a Python script is run with the account's default Python.
set -u
# Descriptor 2 was the agent's, for what goes wrong with the sandbox.
exec 2>&1
python_version=$1 bare_scripts=$2 command=$3

if [ "$bare_scripts" = yes ]; then
  # Anything that looks like shell is left to bash, and so is a script that names its own interpreter and may be executed.
  path=$(printf '%s' "$command" | sed -e 's/^[[:space:]]*//' -e 's/[[:space:]]*$//')
  case $path in
    '~/'*) path=$HOME/${path#'~/'} ;;
  esac
  case $path in
    *[!A-Za-z0-9_./@%+=:,~-]*) ;;
    *.py)
      if [ -f "$path" ] && ! { [ -x "$path" ] && [ "$(head -c 2 -- "$path" 2>/dev/null)" = '#!' ]; }; then
        exec "/usr/bin/python$python_version" "$path"
      fi
      ;;
  esac
fi
# A login shell: what the member's .profile sets is set here, too.
exec /bin/bash -l -c "$command"
