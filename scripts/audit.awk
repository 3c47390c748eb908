# SPDX-License-Identifier: GPL-2.0-only
#
# usage: awk -f audit.awk MACHINES kunit-ARCH.log... *_test.c... AUDIT.md
#
# The table of drivers: what the rows of AUDIT.md come to in the last KUnit runs.
# A row counts when each test that it names has passed, on every architecture
# that ran it; as silent or without a trace only if one of them looks at the log
# or at the state of the driver. MACHINES has lines "machine driver P F S", what
# the lab counted.

FNR == 1 {
	log_file = FILENAME ~ /kunit-[a-z0-9_]+\.log$/
	source = FILENAME ~ /_test\.c$/
	audit = FILENAME ~ /AUDIT\.md$/
	arch = FILENAME
	sub(/.*kunit-/, "", arch)
	sub(/\.log$/, "", arch)
}

# kunit.py: "=== suite (9 subtests) ===", "[PASSED] test", and for a test with
# parameters "=== test ===", its cases, "=== [PASSED] test ==="
log_file && / subtests?\) =/ {
	suite = $3
	next
}
log_file && match($0, /\[(PASSED|FAILED|CRASHED|SKIPPED|TIMED OUT)\] /) {
	name = substr($0, RSTART + RLENGTH)
	sub(/[ =]+$/, "", name)
	good = substr($0, RSTART, RLENGTH) == "[PASSED] "
	if (name !~ /[^a-z0-9_]/)
		good ? ran[name]++ : bad[name]++
	if ($0 !~ /=====/) {
		all[suite, arch]++
		fine[suite, arch] += good
		if (archs[num_archs] != arch)
			archs[++num_archs] = arch
	}
}

# Which functions of the tests look, themselves or by what they call
source && /^[a-z_#].*\(/ {
	function_name = $0
	sub(/^#define /, "", function_name)
	sub(/\(.*/, "", function_name)
	sub(/.*[ *]/, "", function_name)
	function_name = FILENAME SUBSEP function_name
	in_define = /^#define/
}
source { body[function_name] = body[function_name] " " $0 }
source && (/^}/ || in_define && !/\\$/) {
	function_name = ""
	in_define = 0
}

FNR == 1 && !log_file && !source && !audit { machines = FILENAME }
FILENAME == machines {
	result = $4 > 0 ? $4 " failed" : $3 " passed"
	result = result ($5 > 0 ? " (" $5 " skipped)" : "")
	emulated[$2] = emulated[$2] (emulated[$2] == "" ? "" : ", ") $1 ": " result
}

audit && FNR == 1 {
	# The fixture looks at both when an attach is to fail
	expect = "IOMMU_KUNIT_EXPECT_(REFUSED|FAILS)|__iommu_kunit_expect_attach"
	close_over(log_watch, expect "|iommu_kunit_log_lines")
	close_over(state_watch, expect "|iommu_kunit_snapshot_check")
	print "| driver | paths audited | errno right | silent | nothing left behind | KUnit tests passed | emulated end to end |"
	print "| --- | --- | --- | --- | --- | --- | --- |"
}
audit && /^# / { flush() }
audit && /^## / { flush(); driver = $2 }
audit && driver != "" && /^\| / && !/^\| (function \||---)/ { row($0) }
END {
	if (driver != "")
		flush()
	print ""
	printf "errno right: the tests of the row passed. silent, nothing left behind: of the rows that end in\n"
	printf "-EINVAL, and in any errno, those whose tests look at the log, and at the state, and passed.\n"
	if (lost)
		printf "%d rows name tests that failed or did not run in the last make kunit\n", lost
}

# Marks the functions that use what the expression names, but for an attach that
# is to succeed
function close_over(marks, expression,   name, at, more)
{
	for (name in body)
		if (body[name] ~ expression && name !~ /EXPECT_ATTACH$/)
			marks[name]
	do {
		more = 0
		for (name in body) {
			if (name in marks || name ~ /EXPECT_ATTACH$/)
				continue
			for (at in marks) {
				split(at, part, SUBSEP)
				split(name, own, SUBSEP)
				if (part[1] == own[1] && body[name] ~ "[^a-zA-Z0-9_]" part[2] "[(]") {
					marks[name]
					more = 1
					break
				}
			}
		}
	} while (more)
	for (name in marks) {
		split(name, part, SUBSEP)
		marks[part[2]]
	}
}

function row(text,   cell, n, i, after, outcome, names, one, passed, log_seen, state_seen)
{
	gsub(/\\\|/, "/", text)
	split(text, cell, / \| */)
	n = split(cell[3], after, / -> /)
	outcome = after[n] ~ /^(the )?same/ ? after[1] : after[n]
	sub(/(\. |:|\(| in place of ).*/, "", outcome)	# the reasons
	names = cell[7]
	rows++
	passed = names !~ /^(untested|-)/
	if (names ~ /^every case/) {
		passed = whole(driver) ? 1 : -1
		lost += passed < 0
	} else if (passed) {
		gsub(/\([^()]*\)/, "", names)
		n = split(names, one, /[^a-z0-9_]+/)
		for (i = 1; i <= n; i++) {
			if (one[i] !~ /_test/)
				continue
			if (!(one[i] in ran) || one[i] in bad)
				passed = -1
			log_seen += one[i] in log_watch
			state_seen += one[i] in state_watch
		}
		lost += passed < 0
	}
	right += passed > 0
	if (outcome ~ /-E[A-Z]+/) {
		fails++
		restored += passed > 0 && state_seen > 0
	}
	if (outcome ~ /-EINVAL/) {
		refuses++
		silent += passed > 0 && log_seen > 0
	}
}

function flush(   i, arch, tests)
{
	if (driver != "") {
		for (i = 1; i <= num_archs; i++) {
			arch = archs[i]
			if (all[driver, arch] > 0)
				tests = tests (tests == "" ? "" : ", ") fine[driver, arch] \
					(fine[driver, arch] == all[driver, arch] ? "" : \
					 " of " all[driver, arch]) " on " arch
		}
		printf "| %s | %d | %s | %s | %s | %s | %s |\n", driver, rows,
			of(right, rows), of(silent, refuses), of(restored, fails),
			tests == "" ? "-" : tests,
			driver in emulated ? emulated[driver] : "-"
	}
	driver = ""
	rows = right = fails = restored = refuses = silent = 0
}

# Has every case of the suite passed?
function whole(suite,   i, n, seen)
{
	for (i = 1; i <= num_archs; i++) {
		seen += all[suite, archs[i]]
		n += fine[suite, archs[i]]
	}
	return seen > 0 && n == seen
}

function of(n, total)
{
	return total ? n + 0 "/" total : "-"
}
