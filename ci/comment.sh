#!/bin/sh
# Comments on the pull request or merge request of this job: ci/comment.sh DIRECTORY LAST [NAME]
#
# DIRECTORY has the run. LAST has the last run on the target branch; without one that can be read, the comment has the
# verdict alone. A later run with the same NAME replaces the comment. GitHub's token is read from GITHUB_TOKEN, GitLab's
# from RINGBACK_GITLAB_TOKEN. Sends nothing to the deployment. Ends with 0 if the comment is there.
set -eu

if [ $# -lt 2 ] || [ $# -gt 3 ]; then
  echo "usage: ci/comment.sh DIRECTORY LAST [NAME]" >&2
  exit 2
fi
directory=$1
last=$2
name=${3:-ringback}

set -- report "$directory" --quiet --no-color --format comment
if [ -s "$last/verdict.json" ] && ringback "$@" --against "$last"; then
  set -- "$@" --against "$last"
fi
exec ringback "$@" --post "$name"
