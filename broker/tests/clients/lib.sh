# Shared by the suites in shell. A check is a function or command: `check NAME COMMAND...` prints `ok NAME` when it
# succeeds, and `not ok NAME: why` with the end of what it printed when it does not.

failures=0
# Scratch files, gone at the end however it comes.
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

check() {
  local name=$1 status
  shift
  # Not as a condition: there, `set -e` would hold for nothing inside.
  (set -e; "$@") > "$scratch/output" 2>&1
  status=$?
  if [ "$status" -eq 0 ]; then
    echo "ok $name"
  else
    failures=$((failures + 1))
    echo "not ok $name: $(tail -c 600 "$scratch/output" | tr '\n' ' ')"
  fi
}

# expect PATTERN FILE: some line of the file matches; says what was there instead.
expect() {
  grep -Eq -- "$1" "$2" || { echo "no line matches /$1/ in:"; tail -30 "$2"; return 1; }
}

refuse() {
  ! grep -Eq -- "$1" "$2" || { echo "a line matches /$1/ in:"; tail -30 "$2"; return 1; }
}

# equal EXPECTED FOUND WHAT
equal() {
  [ "$1" = "$2" ] || { echo "$3: expected <$1>, found <$2>"; return 1; }
}

finish() {
  [ "$failures" -eq 0 ]
}
