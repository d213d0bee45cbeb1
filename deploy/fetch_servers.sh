#!/bin/sh
# Unpacks Debian's packages of nats-server and influxd into a folder, without root and without touching the system:
# apt works with a state and cache of its own there, and nothing is installed or started. Does nothing for a server
# that is on PATH or there already.
#
# usage: fetch_servers.sh FOLDER; the programs end up below FOLDER/root.
set -eu

folder=$1

is_here() {
  command -v "$1" >/dev/null || [ -n "$(find "$folder/root" -name "$1" -type f -perm -u+x 2>/dev/null)" ]
}

packages=''
is_here nats-server || packages="$packages nats-server"
is_here influxd || packages="$packages influxdb"
[ -n "$packages" ] || exit 0

give_up() {
  echo "Cannot fetch$packages: $1" >&2
  echo "Install nats-server (2.9 or newer) and influxd (InfluxDB 1.6 to 1.x) so that both are on PATH;" >&2
  echo "on Debian and Ubuntu: apt-get install nats-server influxdb" >&2
  exit 1
}

for tool in apt-get dpkg-deb; do
  command -v "$tool" >/dev/null || give_up "there is no $tool here"
done

mkdir -p "$folder/apt/state/lists/partial" "$folder/apt/cache/archives/partial" "$folder/root"
folder=$(cd "$folder" && pwd)

# As root apt would drop to the user _apt, who may not write here.
apt_get() {
  apt-get -qq \
    -o "Dir::State=$folder/apt/state" -o Dir::State::status=/var/lib/dpkg/status \
    -o "Dir::Cache=$folder/apt/cache" -o "APT::Sandbox::User=$(id -un)" -o Acquire::Retries=3 "$@" >&2
}

echo "Fetching$packages into $folder" >&2
apt_get update || echo "Some package lists cannot be had" >&2
cd "$folder/apt"
for package in $packages; do
  rm -f "$package"_*.deb
  apt_get download "$package" || give_up "the package $package cannot be had"
  dpkg-deb -x "$package"_*.deb "$folder/root" || give_up "the package $package cannot be unpacked"
  rm -f "$package"_*.deb
done
rm -rf "$folder/apt"
