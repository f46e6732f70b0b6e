#!/bin/sh
# help.sh MAKEFILE: its targets with what stands behind "##", in groups. A target that is in none of them is shown in the last one.
awk '
function show(name) { if (name in text) { printf " %-15s %s\n", name, text[name]; delete text[name] } }
function group(title, names,   n, all, i) { print title; n = split(names, all, " "); for (i = 1; i <= n; i++) show(all[i]) }
match($0, /^[a-z0-9-]+:/) && /## / { name = substr($0, 1, RLENGTH - 1); text[name] = substr($0, index($0, "## ") + 3); order[++count] = name }
END {
  group("Try and use:", "demo demo-stop all build install install-symbols uninstall clean help")
  group("Test:", "check unit sim asan e2e fuzz-short layers functions manlint")
  group("Prove, slowly:", "attack kill-journal fuzz mutants bench")
  group("Read and tidy:", "tidy format coverage")
  print "Packages, and the rest:"
  for (i = 1; i <= count; i++) show(order[i])
}' "$1"
