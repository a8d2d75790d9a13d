#!/bin/sh
# The steps of .github/workflows/release.yml, to be run anywhere: sh tools/release.sh STEP
# Where to publish is told by IMAGE (registry, owner and name), VERSION and REPOSITORY; RUN=echo only shows the commands.
set -eu
cd "$(dirname "$0")/.."

run() { ${RUN:-} "$@"; }
machine=$(uname -m)
file=mailcow-preflight-$machine
base=$(sed -n 's/^ARG BASE=//p' Dockerfile)
epoch=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
stated=$(sed -n 's/^version = "\([^"]*\)".*/\1/p' pyproject.toml)
version=${VERSION:-$stated}
flags='--offline --no-probe --only resources.* --format json --progress never'

version() { # the tag, the package and the image's label have one version
    [ "$version" = "$stated" ] || { echo "release: the tag says $version, pyproject.toml $stated" >&2; exit 1; }
}
build() { # wheel and file, with the interpreter of the image's own base
    run docker run --rm --volume "$PWD:/src" --workdir /src --env "SOURCE_DATE_EPOCH=$epoch" "$base" \
        sh -c 'python3 tools/venv.py run && python3 tools/build_dist.py wheel file'
}
try() { # the file on systems without Python; 0, 1 and 3 are verdicts
    for system in debian:12-slim debian:13-slim ubuntu:24.04 alpine:3; do
        code=0
        # shellcheck disable=SC2086,SC2310
        run docker run --rm --volume "$PWD/dist:/dist:ro" "$system" "/dist/$file" $flags || code=$?
        case $code in 0 | 1 | 3) echo "release: $system: exit code $code" >&2 ;; *) exit 1 ;; esac
    done
}
image() { # one architecture, by the machine's own; with a list of its content and its provenance
    case $machine in x86_64) name=amd64 ;; aarch64) name=arm64 ;; *) exit 1 ;; esac
    run docker buildx create --use --name release
    run docker buildx build --build-arg "SOURCE_DATE_EPOCH=$epoch" --build-arg "SOURCE=${REPOSITORY:-}" \
        --sbom=true --provenance=mode=max --output type=image,push=true,rewrite-timestamp=true \
        --tag "${IMAGE:?}:$version-$name" .
}
index() { # one name for both architectures, signed by its digest
    run docker buildx imagetools create --tag "$IMAGE:$version" "$IMAGE:$version-amd64" "$IMAGE:$version-arm64"
    digest=$(run docker buildx imagetools inspect "$IMAGE:$version" --format '{{.Manifest.Digest}}')
    run cosign sign --yes "$IMAGE@$digest"
    printf '%s@%s\n' "$IMAGE" "$digest" >dist/IMAGE
}
sums() { # of all that was collected; what the build of each architecture wrote is part of it
    (cd dist && rm -f SHA256SUMS && sha256sum ./*mailcow* | sed 's| \./| |' >SHA256SUMS)
}
sign() { # the checksums stand for all files
    run cosign sign-blob --yes --bundle dist/SHA256SUMS.sigstore.json dist/SHA256SUMS
}
publish() { # the package index takes the wheel, the repository's page of releases takes all
    run uv publish --trusted-publishing always dist/*.whl
    run gh release create "v$version" --verify-tag --title "$version" --notes-file CHANGELOG.md dist/*
}

case ${1:-} in
version | build | try | image | index | sums | sign | publish) "$1" ;;
*) echo 'usage: release.sh version|build|try|image|index|sums|sign|publish' >&2; exit 2 ;;
esac
