# SPDX-License-Identifier: GPL-2.0
#
# usage: awk -f report.awk -v machine=NAME [-v model=linux-6.1] [UNPATCHED.log] PATCHED.log
#
# Reads what the guest measured (lines "LAB what key=value ..." of the console)
# and prints KTAP, the table and the tally. The last log is judged by the
# contract; one before it must only have run to its end, or, with a model, do
# what that kernel is known to do: linux-6.1 or linux-7.3.

BEGIN {
	errnos[-6] = "ENXIO"; errnos[-12] = "ENOMEM"; errnos[-16] = "EBUSY"
	errnos[-18] = "EXDEV"; errnos[-19] = "ENODEV"; errnos[-22] = "EINVAL"
	errnos[-28] = "ENOSPC"

	verdict["alone"] = "DMA reaches memory"
	verdict["joined"] = "DMA reaches memory"
	verdict["replayed"] = "DMA reaches what was mapped before"
	verdict["mapped"] = "DMA reaches what is mapped now"
	verdict["unmapped"] = "DMA reaches what was unmapped"
	verdict["kept"] = "DMA reaches what stays mapped"
	verdict["left"] = "DMA reaches what stays mapped"
	verdict["apart"] = "DMA reaches memory of container "
	verdict["inner"] = "DMA reaches the inner guest's memory"
	verdict["packets"] = "packets that are sent arrive"
	verdict["eperm"] = "says that interrupts are not remapped"
	verdict["running"] = "DMA goes on meanwhile"
	verdict["moved"] = "DMA reaches memory at once"
	verdict["detached"] = "DMA reaches memory"
	verdict["elsewhere"] = "DMA reaches what only the other IOAS maps"
	verdict["unwritten"] = "a move that fails with -EFAULT changes nothing"
	verdict["windows"] = "what the IOMMU keeps stays reserved"
	verdict["reserved"] = "says that the IOMMU keeps an address"

	judged = ARGC > 2 ? 2 : 1
	splat = "WARNING:|BUG:|Oops|INFO: (possible|suspicious|task|rcu)" \
		"|Unable to handle|Kernel panic|Call [Tt]race:|general protection|UBSAN:|printk messages dropped"
}

{
	run = FILENAME == ARGV[judged] ? judged : 1
	sub(/\r$/, "")
}

/LAB broken / { broken[run] = substr($0, index($0, "LAB broken ") + 11) }
/LAB done/ { done[run] = 1 }
/Kernel command line: .* LAB_SELFTESTS=/ { selftests[run] = 1 }

/LAB (kernel|device|attach|detach|replace|hwpt|destroy|start|end|skip|dma|selftest|granule) / {
	for (key in f)
		delete f[key]
	for (i = 1; $i != "LAB"; i++)
		;
	what = $(i + 1)
	for (i += 2; i <= NF; i++) {
		at = index($i, "=")
		f[substr($i, 1, at - 1)] = substr($i, at + 1)
	}
	if (what == "kernel") {
		release[run] = f["release"]
		tracepoint[run] = f["tracepoint"]
	} else if (what == "device") {
		if (f["dma"] == "yes")
			dma_engines[run]++
		devices[run] = devices[run] sprintf("# %-2s: %s in IOMMU group %s of %d, behind %s\n",
			f["group"], f["bdf"], f["number"], f["devices"], f["iommu"])
	} else {
		row = ++rows[run]
		by = "by" in f ? f["by"] ": " : ""
		if (what == "dma")
			dma()
		else if (what == "start")
			start()
		else if (what == "end")
			end()
		else if (what == "skip")
			not_tried()
		else if (what == "selftest")
			selftest()
		else if (what == "granule")
			granule()
		else if (what == "replace")
			moves()
		else if (what == "hwpt" || what == "destroy")
			by_hand()
		else
			change()
	}
	next
}

!/LAB / && $0 ~ splat { splats[run] = splats[run] "#   " $0 "\n" }

# Is it the kernel without the queue that the lines are from?
function unpatched()
{
	return judged == 2 && run == 1
}

# A group of D devices joins the container: adds what that should come to to
# refused, calls and claim. With the refuser at position f a refused try costs f
# calls, and f - 1 to put back the devices before it, and one more where the core
# puts back the refuser, too (again). The unpatched type 1 tries the newest domain
# first; it attaches to a domain and leaves it before it compares, and goes back. The
# unpatched iommufd tries the oldest first, and when it replaces for each device anew.
# QEMU has iommufd make domains at its word, and tries the newest first on any kernel.
function joins(letter, D,   fits, k, one, refusal)
{
	fits = members[run, letter] > 0
	k = fits ? 0 : inhabited(f["container"] SUBSEP)
	refusal = 2 * f["position"] - 1
	if (unpatched() || by_word()) {
		for (one in members)
			k += fits && index(one, run SUBSEP f["container"] SUBSEP) == 1 && members[one] > 0 && \
				(iommufd() ? born[one] < born[run, letter] : born[one] > born[run, letter])
		k *= "edus" in f ? f["edus"] : 1
		if (by_word())
			calls += D + k * (refusal + (unpatched() ? 0 : again))
		else if (iommufd())
			calls += D + k * refusal
		else if (model == "linux-7.3")
			calls += (fits ? 3 : 1) * D + k * (2 * D + refusal)
		else
			calls += (fits ? 3 : 1) * D + k * (3 * D + f["position"])
	} else {
		# The domain of a group's own instance is found at once
		calls += D + k * (refusal + again)
	}
	refused += k
	claim += "bound" in f || what == "replace" ? 0 : D
	if (!members[run, letter]++)
		born[run, letter] = ++births
	return k
}

function iommufd()
{
	return f["by"] == "iommufd" || f["by"] == "compat"
}

function by_word()
{
	return f["by"] ~ /,iommufd$/
}

# What holds for every row
function common(ret)
{
	expect("the result", f["ret"], ret + 0)
	expect("domains", f["domains"], inhabited("") + hwpts[run])
	if (unpatched()) {
		expect("log lines", f["log"], model == "linux-7.3" ? 0 : f["refused"])
	} else {
		expect("log lines", f["log"], 0)
		expect("refusals that the tracepoint reports", f["traced"], f["refused"])
		if (f["refused"] > 0)
			expect("errno", errno(f["errnos"]), "EINVAL")
	}
	cells[run, row] = sprintf("%-8s %5d %7d %4d %8d", errno(f["errnos"]),
		f["calls"], f["refused"], f["log"], f["domains"])
}

# A group was attached or detached. Of every row: label and cells are what the
# table has, name is the test's, and bad is what is not as the contract has it.
function change(   letter, before, fits, D, how)
{
	letter = f["container"] SUBSEP substr(f["group"], 1, 1)
	D = f["devices"]
	before = inhabited(f["container"] SUBSEP)
	fits = members[run, letter] > 0

	who[run] = by f["group"] (what == "attach" ? " joins" : " leaves")
	on[run, f["group"]] = what == "attach" ? letter : ""
	how = f["container"] == 1 ? "" : " container " f["container"]
	refused = calls = claim = 0
	if (what == "attach") {
		joins(letter, D)
		if (before == 0)
			how = f["container"] == 1 ? ": the first" : ": first of" how
		else if (fits)
			how = ": a domain fits"
		else
			how = ": " before (before == 1 ? " domain refuses" : " domains refuse")
	} else {
		members[run, letter]--
	}
	label[run, row] = name[run, row] = who[run] how " (D=" D ")"
	expect("refusals", f["refused"], refused)
	common()
	if (what == "attach") {
		expect("->attach_dev calls to claim the group", f["claim"], claim)
		expect("->attach_dev calls", f["calls"], calls)
	}
	fold("changes, in every order")
}

# A group was offered another hwpt: one that was made for the group of, or, where of is
# ioas, whatever the IOAS of the container finds
function moves(   letter, was, D, before, ret)
{
	D = f["devices"]
	letter = f["container"] SUBSEP substr(f["group"], 1, 1)
	was = on[run, f["group"]]
	before = inhabited(f["container"] SUBSEP)
	refused = calls = claim = ret = 0
	if (f["of"] == "ioas") {
		who[run] = by f["group"] " goes to IOAS " f["container"]
		if (members[run, letter] > 0)
			label[run, row] = was == letter ? ": is there" : ": a domain fits"
		else if (before > 0)
			label[run, row] = ": " before " domain" (before == 1 ? " refuses" : "s refuse")
		joins(letter, was == letter ? 0 : D)
		on[run, f["group"]] = letter
	} else if (substr(f["of"], 1, 1) == substr(f["group"], 1, 1)) {
		who[run] = by f["group"] " goes to a hwpt of its own"
		calls = D
		on[run, f["group"]] = ""
	} else {
		who[run] = by f["group"] " is offered " f["of"] "'s hwpt"
		refused = 1
		calls = 2 * f["position"] - 1 + (unpatched() ? 0 : again)
		ret = -22
		was = ""
	}
	if (was != "")
		members[run, was]--
	label[run, row] = name[run, row] = who[run] label[run, row] " (D=" D ")"
	expect("refusals", f["refused"], refused)
	common(ret)
	expect("->attach_dev calls", f["calls"], calls)
}

# A hwpt was made or destroyed, which takes no driver's ->attach_dev
function by_hand()
{
	hwpts[run] += what == "hwpt" ? 1 : -1
	who[run] = by "a hwpt for " f["group"] (what == "hwpt" ? " is made" : " is destroyed")
	label[run, row] = name[run, row] = who[run]
	expect("->attach_dev calls", f["calls"], 0)
	common()
}

# The table has one row for many of a kind, which are judged one by one
function fold(of,   key)
{
	if (f["by"] !~ /^device_add/)
		return
	folded[run, row]
	key = run SUBSEP f["by"] SUBSEP of
	if (!(key in first))
		first[key] = row
	sum[run, first[key]]
	n_of[key]++
	tried_of[key] += f["tried"]
	reached_of[key] += f["reached"]
	calls_of[key] += f["calls"]
	refused_of[key] += f["refused"]
	log_of[key] += f["log"]
	if (f["domains"] > domains_of[key])
		domains_of[key] = f["domains"]
	if (f["refused"] > 0)
		errno_of[key] = errno(f["errnos"])
	if (what == "attach" || what == "detach") {
		label[run, first[key]] = by n_of[key] " " of
		cells[run, first[key]] = sprintf("%-8s %5d %7d %4d %8s", key in errno_of ? errno_of[key] : "-",
			calls_of[key], refused_of[key], log_of[key], "<= " domains_of[key])
	} else {
		cells[run, first[key]] = right(reached_of[key] " of " tried_of[key])
	}
}

# A program has started, with all its groups at once: groups is A:2,B:1
function start(   n, i, one, list, sizes)
{
	refused = calls = claim = 0
	n = split(f["groups"], list, ",")
	for (i = 1; i <= n; i++) {
		split(list[i], one, ":")
		joins(f["container"] SUBSEP substr(one[1], 1, 1), one[2])
		sizes = sizes (i == 1 ? "" : ",") one[2]
		who[run] = (i == 1 ? by : who[run] ", ") one[1]
	}
	who[run] = who[run] " join"
	label[run, row] = name[run, row] = who[run] " (D=" sizes ")"
	expect("refusals", f["refused"], refused)
	common()
	expect("->attach_dev calls to claim the groups", f["claim"], claim)
	expect("->attach_dev calls", f["calls"], calls)

	row = ++rows[run]
	label[run, row] = "  " by "ready after"
	name[run, row] = by "is ready"
	expect("time taken", f["ms"] > 0, 1)
	ready(f["ms"] + 0, f["count"] + 0)
}

# The table has the quickest of a program's starts, beside its first
function ready(ms, count,   key)
{
	key = run SUBSEP by
	folded[run, row]
	if (!(key in first)) {
		first[key] = row
		timed[run, row] = key
		sum[run, row]
		quickest[key] = second[key] = ms
	} else if (starts[key] == 1 || ms < second[key]) {
		second[key] = ms > quickest[key] ? ms : quickest[key]
		quickest[key] = ms < quickest[key] ? ms : quickest[key]
	}
	if (quickest[key] == ms)
		counted[key] = count
	starts[key]++
	cells[run, first[key]] = right(quickest[key] " ms")
}

# Is it the program that took that long? The first start is a cold one.
function steady(key)
{
	return starts[key] > 1 && second[key] <= 1.5 * quickest[key]
}

# Had the machine as much time for both? To count takes either kernel as long.
function alike(a, b)
{
	return counted[a] <= 1.25 * counted[b] && counted[b] <= 1.25 * counted[a]
}

# A program has ended: whatever it was doing, nothing of it is left
function end(   one)
{
	for (one in members)
		if (index(one, run SUBSEP f["container"] SUBSEP) == 1)
			members[one] = 0
	who[run] = by "all leave"
	label[run, row] = name[run, row] = who[run] " (" f["how"] ")"
	if (f["how"] != "killed")
		expect("refusals", f["refused"], 0)
	common()
	if ("at" in f) {
		if (!((run, by) in killed))
			killed_by[run, ++killers[run]] = by
		killed[run, by] = killed[run, by] f["at"] " "
		full[run, by] = f["full"]
		middle[run, by] += f["at"] > 0 && f["at"] < f["full"]
	}
}

# A program that is always killed before its first call or after its last proves nothing
function killed_end(   i)
{
	for (run = 1; run <= judged; run++) {
		for (i = 1; i <= killers[run]; i++) {
			by = killed_by[run, i]
			row = ++rows[run]
			name[run, row] = label[run, row] = by "killed in the middle of its start"
			cells[run, row] = right(killed[run, by] "of " full[run, by] " calls")
			expect("kills in the middle", middle[run, by] > 0 ? "some" : "none", "some")
		}
	}
}

# What this kernel or machine has nothing for: why has _ for spaces. Where the other kernel
# has it, this one must have it, too.
function not_tried()
{
	name[run, row] = label[run, row] = by "all groups join"
	cells[run, row] = right("not tried")
	gsub(/_/, " ", f["why"])
	if (run == 1)
		untried[by]
	if (run == 1 || by in untried)
		skip[run, row] = f["why"]
	else
		expect("only on this kernel", f["why"], "as on the other")
}

# One of the kernel's own tests, or how its program ended (exit). What fails without the
# queue as well is none of its faults; what passes or fails there must have a result here.
function selftest(   key, other)
{
	key = f["program"] ": " f["test"]
	name[run, row] = label[run, row] = key
	gsub(/_/, " ", f["result"])
	result[run, key] = f["result"]
	cells[run, row] = right(f["result"])
	if (run < judged) {
		unpatched_test[++unpatched_tests] = key
		return
	}
	if (judged == 2) {
		other = result[1, key]
		cells[1, row] = right(other == "" ? "-" : other)
	}
	if (f["result"] == "skip" && other != "ok") {
		skip[run, row] = "the test skips itself"
	} else if (f["result"] != "ok" && f["result"] == other) {
		skip[run, row] = "fails on the unpatched kernel, too"
	} else {
		expect("the result", f["result"], "ok")
		tests_judged += f["test"] != "exit"
	}
}

# Tests of the unpatched kernel that the patched one has not come to, and whether there were any
function selftests_end(   i, key)
{
	run = judged
	for (i = 1; i <= unpatched_tests; i++) {
		key = unpatched_test[i]
		if ((judged, key) in result)
			continue
		row = ++rows[judged]
		name[judged, row] = label[judged, row] = key
		cells[1, row] = right(result[1, key])
		cells[judged, row] = right("-")
		bad[judged, row] = "#   it has no result here\n"
	}
	row = ++rows[judged]
	name[judged, row] = label[judged, row] = "tests that are judged"
	cells[judged, row] = right(tests_judged)
	expect("tests", tests_judged > 0 ? "some" : "none", "some")
}

# A device that the IOMMU cannot serve gets no group and no driver for user space, and the
# log tells why. 6.1 does so for each device that is to get a driver. 7.3 gives up the IOMMU
# as a whole after its first device, which the driver does not notice without the queue.
function granule()
{
	cells[run, row] = right(f["lines"] (f["lines"] == 1 ? " line" : " lines"))
	if (f["device"] == "all") {
		name[run, row] = label[run, row] = "that an IOMMU is of no use is told once"
		expect("lines", f["lines"], model == "linux-7.3" ? f["iommus"] : f["devices"])
		expect("devices", f["devices"] > 0 ? "some" : "none", "some")
		expect("IOMMUs with a driver", f["bound"], model == "linux-7.3" && !unpatched() ? 0 : f["iommus"])
		return
	}
	name[run, row] = label[run, row] = f["device"] (f["edu"] == 1 ? "" : ", a port") " has no IOMMU"
	expect("lines", f["lines"], model == "linux-7.3" && f["lines"] < 1 ? f["lines"] : 1)
	expect("an IOMMU group", f["groups"], 0)
	expect("a driver for user space", f["vfio"], 0)
}

# A row that was never printed is no success: there are rows, and what the unpatched kernel came to
# this one came to as well
function rows_end(   i, left)
{
	for (i = 1; i <= rows[judged]; i++)
		left[name[judged, i]]++
	for (i = 1; judged == 2 && i <= rows[1]; i++)
		if (left[name[1, i]]-- < 1)
			lost = lost "#   nothing of this: " name[1, i] "\n"
	if (!rows[judged])
		lost = lost "#   nothing was measured\n"
}

# How many domains VFIO should have: one per container and IOMMU instance with
# groups, all of them or those of the container
function inhabited(container,   one, n)
{
	for (one in members)
		if (index(one, run SUBSEP container) == 1 && members[one] > 0)
			n++
	return n + 0
}

function dma(   what)
{
	what = verdict[f["when"]] (f["when"] == "apart" ? f["container"] : "")
	name[run, row] = (f["when"] ~ /^(eperm|reserved)$/ ? by : who[run] ": ") (f["want"] == "reach" ? what : "no " what)
	label[run, row] = "  " what
	# What programs carry and say needs none
	if (!(run in dma_engines) && f["by"] == "") {
		cells[run, row] = right("not tried")
		skip[run, row] = "no device here has a DMA engine"
		return
	}
	cells[run, row] = right(f["reached"] " of " f["tried"])
	fold("transfers")
	# What 7.3 forgets when a replace is refused is no matter of the model
	if (unpatched() && (f["when"] == "windows" || f["when"] == "unwritten"))
		return
	expect("transfers that reach it", f["reached"],
	       f["want"] == "reach" ? f["tried"] : 0)
	if (f["tried"] == 0)
		expect("transfers tried", 0, "some")
}

function expect(what, is, should)
{
	if (is "" != should "")
		bad[run, row] = bad[run, row] \
			sprintf("#   %s: %s, not %s\n", what, is, should)
}

# -22,-22 -> EINVAL
function errno(list,   n, i, parts, text, one)
{
	if (list == "none")
		return "-"
	n = split(list, parts, ",")
	text = ""
	for (i = 1; i <= n; i++) {
		one = parts[i] in errnos ? errnos[parts[i]] : parts[i]
		if (index(" " text " ", " " one " ") == 0)
			text = text (text == "" ? "" : " ") one
	}
	return text
}

# What has no columns
function right(text)
{
	return sprintf("%36s", text)
}

function test(ok, text, why, skipped)
{
	if (skipped != "")
		text = text " # SKIP " skipped
	printf "%sok %d %s\n%s", ok ? "" : "not ", ++tests, text, ok ? "" : why
	if (skipped != "")
		skips++
	else if (ok)
		passed++
	else
		failed++
}

END {
	killed_end()
	if (judged in selftests)
		selftests_end()
	rows_end()
	print "KTAP version 1"
	printf "# %s\n", machine
	for (run = 1; run <= judged; run++)
		printf "# %s: kernel %s\n", run == judged ? "patched" : "unpatched",
			run in release ? release[run] : "?"
	printf "%s", devices[judged]
	printf "1..%d\n", judged + 2 + rows[judged] + (judged == 2 && model != "" ? rows[1] : 0)

	for (run = 1; run <= judged; run++)
		test(run in done && (run < judged || lost == ""), (run == judged ? "patched" : "unpatched") \
			" kernel runs to the end",
		     run in broken ? "#   " broken[run] "\n" : run in done ? lost : \
			"#   the console ends early\n")
	test(tracepoint[judged] == "yes", "failed attaches have a tracepoint",
	     "#   this kernel has none: it is not patched\n")
	for (row = 1; row <= rows[judged]; row++)
		test(!((judged, row) in bad), name[judged, row],
		     bad[judged, row], skip[judged, row])
	for (row = 1; judged == 2 && model != "" && row <= rows[1]; row++)
		test(!((1, row) in bad), "unpatched, " model ": " name[1, row], bad[1, row], skip[1, row])
	test(judged in done && !(judged in splats), "no warning in the kernel's log", splats[judged])
	if (judged == 2 && 1 in splats)
		printf "# the unpatched kernel warned:\n%s", splats[1]

	print ""
	table()
	print ""
	print "errno: what the driver refused with; calls: of ->attach_dev, without claiming"
	print "DMA ownership; refused: those of them that failed; log: lines that the ioctl left;"
	print "domains: that VFIO then has."
	if (ratios)
		print "ready after: the quickest of three starts; - where the two quickest of a kernel differ by more than half, where there is one, or where the machine had less time for one kernel."
	printf "%d passed, %d failed, %d skipped\n", passed, failed, skips
	exit failed > 0
}

function table(   rule, line, width)
{
	rule = "------------------------------------"
	width = 36
	for (row = 1; row <= rows[judged]; row++) {
		if (length(label[judged, row]) > width)
			width = length(label[judged, row])
		# How long a program took means nothing but beside the other kernel
		if (judged == 2 && (1, row) in timed && (2, row) in timed)
			cells[2, row] = right(ratio(timed[1, row], timed[2, row]))
	}
	line = sprintf("%-*s", width, "")
	for (run = 1; run <= judged; run++)
		line = line sprintf(" | %-36s", run == judged ? "patched" : "unpatched")
	show(line)
	line = sprintf("%-*s", width, "")
	for (run = 1; run <= judged; run++)
		line = line sprintf(" | %-8s %5s %7s %4s %8s", "errno", "calls", "refused",
			"log", "domains")
	show(line)
	line = sprintf("%*s", width, "")
	gsub(/ /, "-", line)
	for (run = 1; run <= judged; run++)
		line = line "-+-" rule
	show(line)
	for (row = 1; row <= rows[judged]; row++) {
		if ((judged, row) in folded && !((judged, row) in sum))
			continue
		line = sprintf("%-*s", width, label[judged, row])
		for (run = 1; run <= judged; run++)
			line = line sprintf(" | %-36s", cells[run, row])
		show(line)
	}
}

function ratio(a, b)
{
	ratios = 1
	return steady(a) && steady(b) && alike(a, b) ? sprintf("%.2f of that", quickest[b] / quickest[a]) : "-"
}

function show(line)
{
	sub(/ +$/, "", line)
	print line
}
