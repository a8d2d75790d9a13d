#!/bin/sh
# Run the check once in a container, fetch every report, and end with the check's own exit code:
#
#     preflight.sh DIRECTORY [OPTION]...
#
# DIRECTORY then holds preflight.md, .html, .json and .xml (JUnit); a report for reading goes to standard output, as
# annotations where GitHub Actions runs it. Every PREFLIGHT_<OPTION> variable is passed on. Also read:
#
#     IMAGE=mailcow-preflight      the image; built beforehand by `make image`, or pulled
#     WAIVERS=waivers.toml         waivers; passed on where the file exists
#     BASELINE=last/preflight.json an earlier report; passed on where the file exists
#
# Files go in and out with `docker cp`: so this works in a CI job that is a container itself and has only the engine's
# socket, where no directory of the job is one of the host.
set -eu

folder=${1:?usage: preflight.sh DIRECTORY [OPTION]...}
shift
mkdir -p "$folder"
waivers=${WAIVERS:-waivers.toml}
baseline=${BASELINE:-}

shown=text
if [ "${GITHUB_ACTIONS:-}" = true ]; then shown=github; fi

set -- --format "$shown" --output - --output /preflight.md --output /preflight.html --output /preflight.json \
    --output /preflight.xml "$@"
if [ -f "$waivers" ]; then set -- --waivers /waivers.toml "$@"; fi
if [ -f "$baseline" ]; then set -- --baseline /baseline.json "$@"; fi
set -- "${IMAGE:-mailcow-preflight}" "$@"
for variable in $(env | sed -n 's/^\(PREFLIGHT_[A-Z_]*\)=.*/\1/p'); do set -- -e "$variable" "$@"; done

container=$(docker create --privileged --pid=host --network=host "$@")
trap 'docker rm --force "$container" >/dev/null' EXIT
if [ -f "$waivers" ]; then docker cp "$waivers" "$container:/waivers.toml"; fi
if [ -f "$baseline" ]; then docker cp "$baseline" "$container:/baseline.json"; fi

# An earlier run's reports shall not pass for this one's. The baseline may be one of them: it is in the container now.
for kind in md html json xml; do rm -f "$folder/preflight.$kind"; done

docker start --attach "$container" &
attached=$!
# A job that is cancelled, or whose time is up: the check is told to end, and reports what it knows by then.
trap 'docker kill --signal TERM "$container" >/dev/null 2>&1 || :' HUP INT TERM
code=0
wait "$attached" || code=$?
while kill -0 "$attached" 2>/dev/null; do # a signal ended the waiting alone
    code=0
    wait "$attached" || code=$?
done

if [ "$code" -ne 2 ]; then # 2: nothing was checked, as an option is wrong
    for kind in md html json xml; do
        # No report: the container did not even start, which is no verdict. 125 is what `docker run` ends with then.
        docker cp "$container:/preflight.$kind" "$folder/preflight.$kind" || exit 125
    done
    if [ -n "${GITHUB_STEP_SUMMARY:-}" ]; then # of more than 1 MiB, GitHub shows nothing
        head -c 1048575 "$folder/preflight.md" >>"$GITHUB_STEP_SUMMARY"
    fi
fi
exit "$code"
