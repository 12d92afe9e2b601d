#!/usr/bin/env bash
# One scan for the action: REGISTRY, TARGETS and ARGUMENTS (one a line), OUTPUT, FAIL_ON.
set -euo pipefail

lines() { # the lines of a text that are not empty
    while IFS= read -r line; do
        line="${line#"${line%%[![:space:]]*}"}"
        line="${line%"${line##*[![:space:]]}"}"
        if [ -n "$line" ]; then printf '%s\0' "$line"; fi
    done <<<"$1"
}

case "$FAIL_ON" in
derived | unsure | never) ;;
*)
    echo "fail-on: expected derived, unsure or never, got '$FAIL_ON'" >&2
    exit 2
    ;;
esac
targets=() options=()
while IFS= read -r -d '' word; do targets+=("$word"); done < <(lines "$TARGETS")
while IFS= read -r -d '' word; do options+=("$word"); done < <(lines "$ARGUMENTS")
if [ "${#targets[@]}" -eq 0 ]; then
    echo "targets: name at least one file, folder, pattern or address" >&2
    exit 2
fi
code=0
modelprint scan "$REGISTRY" "${targets[@]}" ${options[@]+"${options[@]}"} --format sarif --out "$OUTPUT" --exit-code || code=$?
echo "code=$code" >>"$GITHUB_OUTPUT"
case "$code:$FAIL_ON" in
0:* | 10:never | 11:never | 11:derived) exit 0 ;;
*) exit "$code" ;;
esac
