# To be sourced: `source virtualenvwrapper.sh && workon mysite`, as scheduled tasks and PythonAnywhere's clients do.
# Debian keeps the real one where PATH does not lead. The system's Python is named, since `python3` may be a virtualenv's.
export VIRTUALENVWRAPPER_PYTHON="${VIRTUALENVWRAPPER_PYTHON:-/usr/bin/python3}"
. /usr/share/virtualenvwrapper/virtualenvwrapper.sh
