#!/usr/bin/env bash
# Run the slow tests of what changed since BASE (default: the last commit older than a day).
# No file starts after LIMIT seconds; "make test-slow" runs all of them.
set -euo pipefail
cd "$(dirname "$0")/.."
BASE=${BASE:-$(git rev-list -1 --before='1 day ago' HEAD)}
LIMIT=${LIMIT:-180}
files=()
while read -r path; do
  case "$path" in
    test/*test_*.py) candidate=$path ;;
    hydranet_ros/*.py | hydranet_scenes/*.py | benchmarks/*.py)
      folder=$(dirname "${path#hydranet_ros/}")
      candidate=test/$folder/test_$(basename "$path") ;;
    *) continue ;;
  esac
  if [ -f "$candidate" ] && grep -q 'mark.slow' "$candidate"; then
    files+=("$candidate")
  fi
done < <(git diff --name-only "${BASE:-$(git rev-list --max-parents=0 HEAD | tail -n 1)}" -- '*.py')
mapfile -t files < <(printf '%s\n' "${files[@]:-}" | sort -u | sed '/^$/d')
if [ "${#files[@]}" -eq 0 ]; then
  echo 'slow tests: none of the changed modules has any'
  exit 0
fi
for file in "${files[@]}"; do
  if [ "$SECONDS" -ge "$LIMIT" ]; then
    echo "slow tests: $file is left to make test-slow, after $SECONDS s"
    continue
  fi
  # pytest exits with 5 if it selected no test.
  .venv/bin/python -m pytest -m slow "$file" || [ "$?" -eq 5 ]
done
