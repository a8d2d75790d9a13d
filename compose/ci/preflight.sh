#!/bin/sh
# Run the check once in a container, fetch every report, and end with the check's own exit code:
#
#     preflight.sh DIRECTORY [OPTION]...
#
# DIRECTORY then holds preflight.md, preflight.json and preflight.xml (JUnit); a report for reading goes to standard
# output, as annotations where GitHub Actions runs it. Every PREFLIGHT_<OPTION> variable is passed on. Also read:
#
#     IMAGE=mailcow-preflight      the image; built beforehand by `make image`, or pulled
#     WAIVERS=waivers.toml         known findings; passed on where the file exists
#     BASELINE=last/preflight.json an earlier report; passed on where the file exists
#
# Files go in and out with `docker cp`: so this works in a CI job that is a container itself and has only the engine's
# socket, where no directory of the job is one of the host.
set -eu

folder=${1:?usage: preflight.sh DIRECTORY [OPTION]...}
shift
mkdir -p "$folder"

shown=text
if [ "${GITHUB_ACTIONS:-}" = true ]; then shown=github; fi

set -- --format markdown --output /preflight.md --format json --output /preflight.json \
    --format junit --output /preflight.xml --format "$shown" "$@"
if [ -f "${WAIVERS:-waivers.toml}" ]; then set -- --waivers /waivers.toml "$@"; fi
if [ -f "${BASELINE:-}" ]; then set -- --baseline /baseline.json "$@"; fi
set -- "${IMAGE:-mailcow-preflight}" "$@"
for variable in $(env | sed -n 's/^\(PREFLIGHT_[A-Z_]*\)=.*/\1/p'); do set -- -e "$variable" "$@"; done

container=$(docker create --privileged --pid=host --network=host "$@")
trap 'docker rm --force "$container" >/dev/null' EXIT
if [ -f "${WAIVERS:-waivers.toml}" ]; then docker cp "${WAIVERS:-waivers.toml}" "$container:/waivers.toml"; fi
if [ -f "${BASELINE:-}" ]; then docker cp "$BASELINE" "$container:/baseline.json"; fi

# An earlier run's reports shall not pass for this one's. The baseline may be one of them: it is in the container now.
rm -f "$folder/preflight.md" "$folder/preflight.json" "$folder/preflight.xml"

code=0
docker start --attach "$container" || code=$?
if [ "$code" -ne 2 ]; then # 2: nothing was checked, as an option is wrong
    for kind in md json xml; do
        # No report: the container did not even start, which is no verdict. 125 is what `docker run` ends with then.
        docker cp "$container:/preflight.$kind" "$folder/preflight.$kind" || exit 125
    done
    if [ -n "${GITHUB_STEP_SUMMARY:-}" ]; then cat "$folder/preflight.md" >>"$GITHUB_STEP_SUMMARY"; fi
fi
exit "$code"
