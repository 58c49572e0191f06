#!/usr/bin/env bash
# Build the package with colcon in a temporary workspace, and start the installed node.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
python3 "$root/scripts/bootstrap.py" colcon cpu openvino ros train scenes test lint
workspace=$(mktemp -d)
trap 'rm -rf "$workspace"' EXIT
mkdir -p "$workspace/src"
git -C "$root" ls-files -z | (cd "$root" && xargs -0 cp --parents -t "$workspace/src")
export PATH="$root/.venv/bin:$PATH"
cd "$workspace"
colcon build --event-handlers desktop_notification- --base-paths src
set +u
source install/setup.bash
set -u
bin="$workspace/install/hydranet_ros/lib/hydranet_ros"
cd /
python3 - "$workspace" <<'PY'
import sys
import hydranet_ros
from hydranet_ros.resources import share_directory
# The environment also has an editable install of the checkout: check which one is imported.
for path in (hydranet_ros.__file__, str(share_directory())):
    assert path.startswith(sys.argv[1]), path
PY
"$bin/hydranet" --version
test -f "$workspace/install/hydranet_ros/share/hydranet_ros/launch/hydranet.launch.py"
log="$workspace/node.log"
timeout 60 "$bin/hydranet_node" --ros-args -p preset:=street -r __ns:=/colcon_check >"$log" 2>&1 &
node=$!
for _ in $(seq 1 40); do
  grep -q 'active' "$log" && break
  sleep 0.5
done
kill -INT "$node"
wait "$node" || { cat "$log"; exit 1; }
grep 'active' "$log" || { cat "$log"; exit 1; }
echo 'colcon: built and installed; the node became active and ended on SIGINT'
