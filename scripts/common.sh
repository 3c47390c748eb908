# SPDX-License-Identifier: GPL-2.0
#
# What the verbs share: where things are, how they speak, and a kernel build
# environment in which the same source always gives the same objects.
# shellcheck shell=bash disable=SC2034

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export BASE=${BASE:-linux-6.1.y}
# As the shell completes it
BASE=${BASE%/}
QUEUE=$ROOT/$BASE
# All that is generated for a queue is here, its kernel tree and the working trees beside that included.
BUILD=$ROOT/build/$BASE
TREE=$BUILD/linux
export LC_ALL=C
shopt -s inherit_errexit

# A jobserver or variables of an outer make are no business of kernel builds,
# and an outer git (a hook, say) must not redirect ours.
unset MAKEFLAGS MFLAGS MAKELEVEL
# shellcheck disable=SC2046
unset $(git rev-parse --local-env-vars 2>/dev/null)

# Build folders are direct subfolders of the trees, so paths are relative and
# ccache serves the patched tree, the base and other clones alike.
export CCACHE_NOHASHDIR=1 LOCALVERSION='' KBUILD_BUILD_VERSION=1
export KBUILD_BUILD_TIMESTAMP=2023-01-01 KBUILD_BUILD_USER=kbuild KBUILD_BUILD_HOST=kbuild

say() { echo "==> $*" >&2; }
die() { echo "error: $*" >&2; exit 1; }

[ -f "$QUEUE/BASE" ] || die "there is no queue '$BASE'; BASE= one of:" \
	"$(cd "$ROOT" && for f in */BASE; do echo "${f%/BASE}"; done | xargs)"
ARCHITECTURES='' INTERFACES=type1 MODEL='' PREFIX=${BASE#linux-}
# shellcheck source=/dev/null
. "$QUEUE/BASE"
[ ! -e "$BUILD/.git" ] || die "$BUILD is a kernel tree, which older scripts made; trees are in build/QUEUE/linux now:" \
	"mv $BUILD $BUILD.old && mkdir $BUILD && mv $BUILD.old $TREE && git -C $TREE worktree prune"
mkdir -p "$BUILD/log"

# Of the user's own git configuration the name counts and nothing else: no hook, no
# signature, no other way to apply or to print a patch. Without a name it is "queue".
GIT_COMMITTER_NAME=${GIT_COMMITTER_NAME:-$(git -C "$ROOT" config user.name || echo queue)}
GIT_COMMITTER_EMAIL=${GIT_COMMITTER_EMAIL:-$(git -C "$ROOT" config user.email || echo queue@localhost)}
export GIT_COMMITTER_NAME GIT_COMMITTER_EMAIL GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 GIT_TEMPLATE_DIR=''
export GIT_CONFIG_COUNT=2 GIT_CONFIG_KEY_0=core.hooksPath GIT_CONFIG_VALUE_0=/dev/null
export GIT_CONFIG_KEY_1=safe.directory GIT_CONFIG_VALUE_1='*'

in_tree() { git -C "$TREE" "$@"; }

# hold NAME [-s]: until the verb ends, no other one uses that; a second one waits and says so.
# With -s, others may look at it, too, but not change it. What holds the tree calls no verb that
# runs scripts/tree, which would wait for it, where the queue changed meanwhile.
declare -A held=()
hold() {
	local fd=${held[$1]:-}
	[ -n "$fd" ] || { exec {fd}>"$BUILD/.lock-$1"; held[$1]=$fd; }
	flock -n ${2:+"$2"} "$fd" ||
		{ say "waiting for another verb that uses the $1 of $BASE"; flock ${2:+"$2"} "$fd"; }
}

# Topic branches of the tree, bottom first: the order of the queue's folders.
topics() { in_tree for-each-ref --format='%(refname:short)' 'refs/heads/[0-9]*-*'; }
topic_refs() { in_tree for-each-ref --format='%(refname) %(objectname)' 'refs/heads/[0-9]*-*'; }
last_topic() { topics | tail -n1 | grep . || echo base; }
# Is the whole queue checked out, and not an earlier topic that somebody works on?
at_last() { [ "$(in_tree rev-parse HEAD)" = "$(in_tree rev-parse "$(last_topic)")" ]; }

# A hash and a name for each patch of a folder with topics; and one hash for those of the queue.
queue_patches() { (cd "$1" && shopt -s nullglob && sha256sum /dev/null [0-9]*-*/*.patch); }
queue_stamp() { queue_patches "$QUEUE" | sha256sum | cut -d' ' -f1; }

# One hash for the code that it makes: its files as the last patch leaves them, without what a kernel and its
# tests are not built from. Another message, another order or a page changes no result of theirs.
code_stamp() {
	(cd "$QUEUE" && shopt -s nullglob && awk '
		FNR == 1 { patch = 0 }
		/^---$/ { patch = 1 }
		patch && /^diff --git / { file = substr($4, 3) }
		patch && /^index / { sub(/.*\.\./, "", $2); blob[file] = $2 }
		END { for (file in blob) if (file !~ /^(Documentation|scripts)\/|^MAINTAINERS$/) print file, blob[file] }
	' /dev/null [0-9]*-*/*.patch) | LC_ALL=C sort | sha256sum | cut -d' ' -f1
}

# tree_code: one hash for the code that is checked out in the tree, without the same; nothing, where not all of it is committed.
# A log that scripts/rules and scripts/audit count has that of its kernel beside it (LOG.code): work that is exported later is the same code.
tree_code() {
	! tree_clean >/dev/null || in_tree ls-tree -r HEAD | grep -vE $'\t(Documentation/|scripts/|MAINTAINERS$)' | sha256sum | cut -d' ' -f1
}

# Is what is checked out in the tree what the queue says? Says why not.
tree_is_queue() {
	tree_untouched || return 1
	at_last || { echo "its HEAD is not the last topic"; return 1; }
	[ "$(in_tree config queue.stamp)" = "$(queue_stamp)" ] || { echo "the queue is another now"; return 1; }
}

# record VERB LINE [DETAILS]: what a full run of a verb came to, for make results: date,
# state of the queue, or of its code where a verb looks at no more, revision, LINE; and Markdown that is shown below.
# What ran on other code than the queue's is not recorded.
record() {
	local revision stamp why
	why=$(tree_is_queue) || { say "$1 is not recorded: $TREE is not what the queue is: $why; 'make export' or 'make tree', and run it again"; return 0; }
	case $1 in
	check | audit | bisect* | docs | mbox) stamp=$(queue_stamp) ;;
	*) stamp=$(code_stamp) ;;
	esac
	revision=$(git -C "$ROOT" describe --always --exclude='*' --dirty=+ 2>/dev/null || echo -)
	mkdir -p "$BUILD/results"
	printf '%s %s %s %s\n%s\n' "$(date -u +'%F %H:%M')" "$stamp" "$revision" "$2" "${3:-}" >"$BUILD/results/.$1.$$"
	mv "$BUILD/results/.$1.$$" "$BUILD/results/$1"
}

# What passed is not run again by make check (KNOWN=1) where all that it reads is as it was, byte for byte.
# digest FILE... [-- WORD...]: one hash for files, all of them in folders, words, and what is installed.
# Where no dpkg tells that, as on another system that happens to have one, it is never the same twice.
digest() {
	local paths=()
	while [ $# -gt 0 ] && [ "$1" != -- ]; do paths+=("$1"); shift; done
	{
		{ command -v apt-get && dpkg-query -W -f '${db:Status-Abbrev}${binary:Package} ${Version}\n'; } 2>/dev/null || date +%s.%N
		printf '%s\n' "$@"
		find -L "${paths[@]}" -type f ! -name '*.pyc' -print0 | sort -z | xargs -0r sha256sum
	} | sha256sum | cut -d' ' -f1
}

# known DIGEST [FILE...]: did that pass of late? Then puts back the files that the run left, shows the first, and says so.
# If not, it is run, and what an earlier run came to is forgotten: this one may fail.
known() {
	local kept=$BUILD/passed/$1 file
	[ -n "$1" ] || return 1
	{ [ -n "${KNOWN:-}" ] && [ -e "$kept/.date" ]; } || { rm -rf "$kept"; return 1; }
	for file in "${@:2}"; do cp "$kept/${file##*/}" "$file" || return 1; done
	touch -c "$kept"
	# Shown, too: who called it may judge what it says
	[ $# = 1 ] || cat "$2"
	echo "# not run again: the same passed on $(cat "$kept/.date")"
}

# learned DIGEST [FILE...]: it passed, and left these. Forgotten a week after it was last of use.
# The caller looks first whether the digest is still the same: another verb may have built meanwhile.
learned() {
	local new=$BUILD/passed/.$BASHPID
	rm -rf "$new"
	mkdir -p "$new"
	[ $# = 1 ] || cp "${@:2}" "$new"
	date -u +'%F %H:%M' >"$new/.date"
	rm -rf "$BUILD/passed/$1"
	# Two verbs at a time can get here
	mv -T "$new" "$BUILD/passed/$1" 2>/dev/null || rm -rf "$new"
	find "$BUILD/passed" -mindepth 1 -maxdepth 1 -mtime +7 -exec rm -rf {} + 2>/dev/null || true
}

# once COMMAND...: for what reads scripts, the queue and its tree (the latter, if there is one, without
# changes that are not committed), but no log of another verb; its output is kept, too
once() {
	local key said=$BUILD/.once
	key=$(once_key "$*") || { "$@"; return; }
	! known "$key" "$said" || return 0
	"$@" 2>&1 | tee "$said" && { [ "$(once_key "$*")" != "$key" ] || learned "$key" "$said"; }
}
once_key() {
	local trees='' read
	[ ! -d "$TREE" ] || { tree_clean >/dev/null && trees=$(in_tree rev-parse 'HEAD^{tree}' 'base^{tree}' && tree_stamp); } || return
	read=(scripts configs lab lava bench .ci Makefile SHARED docs/errors.md '*/BASE' ${trees:+"$BASE"})
	cd "$ROOT" || return
	mapfile -t read < <(comm -23 <(git ls-files -co --exclude-standard -- "${read[@]}" | sort -u) <(git ls-files -d | sort))
	[ "${#read[@]}" -gt 0 ] && digest "${read[@]}" -- "$BASE $PATH $trees $*"
}

# What of a build folder is booted
kernel_files() { find "$1"/{vmlinux,linux} "$1"/arch/*/boot/*Image -maxdepth 0 -type f 2>/dev/null || true; }

# One hash for where HEAD and the topic branches of the tree are.
tree_stamp() { topic_refs | sha256sum | cut -d' ' -f1; }

# Would nothing be lost if the tree were removed? Says what.
tree_disposable() {
	local last lost dir ours=("$TREE")
	tree_untouched || return 1
	last=$(last_topic)
	lost=$(in_tree for-each-ref --format='%(refname)' --no-merged "$last" refs/heads refs/tags refs/stash refs/queue) ||
		{ echo "git cannot tell what its branches hold"; return 1; }
	lost=${lost//refs\/heads\//}
	[ -z "$lost" ] || { echo "no topic holds the commits of ${lost//$'\n'/, }"; return 1; }
	# Other working trees than those that the scripts make are somebody's work.
	for dir in $worktrees; do ours+=("$TREE-$dir"); done
	lost=$(in_tree worktree list --porcelain | sed -n 's/^worktree //p' | grep -vxF -f <(printf '%s\n' "${ours[@]}")) || true
	[ -z "$lost" ] || { echo "$(head -n1 <<<"$lost") is a working tree of it"; return 1; }
	# What git ignores can be somebody's all the same.
	lost=$(in_tree ls-files --others -- ':!.build-*' ':!.kunit' ':!*.pyc' | head -n1)
	[ -z "$lost" ] || { echo "it holds $lost"; return 1; }
}

# Is the tree exactly what was last applied or exported? Says why not.
tree_untouched() {
	[ "$(in_tree config queue.branches)" = "$(tree_stamp)" ] ||
		{ echo "its topic branches hold commits that were not exported"; return 1; }
	in_tree merge-base --is-ancestor HEAD "$(last_topic)" ||
		{ echo "HEAD holds commits that are in no topic"; return 1; }
	tree_clean
}

tree_clean() {
	local dir
	for dir in rebase-merge rebase-apply MERGE_HEAD CHERRY_PICK_HEAD; do
		[ ! -e "$(in_tree rev-parse --path-format=absolute --git-path $dir)" ] ||
			{ echo "a rebase, am, merge or cherry-pick is under way"; return 1; }
	done
	# Debian's kernel ignores everything at the top: look for new files without that rule.
	# What Python leaves beside kunit.py is nobody's work, and 6.1 does not ignore it.
	{ grep -vx '/\*' "$TREE/.gitignore"; echo '*.pyc'; } >"$BUILD/.exclude.$$"
	mv "$BUILD/.exclude.$$" "$BUILD/.exclude"
	dir=$({ in_tree status --porcelain -uno; in_tree ls-files --others --exclude-from="$BUILD/.exclude"; } | head -n1)
	[ -z "$dir" ] || { echo "it holds changes that are not committed ($dir)"; return 1; }
}

# Prints a second working tree that stands at a commit, by default at the base: base
# to build it, work to try the patches on. It is kept: a checkout takes a while.
# Where two verbs would put it to different commits, they hold it.
worktrees="base base-mock bisect deb mutated short work"
worktree() {
	local dir=$TREE-$1 at fd
	at=$(in_tree rev-parse "${2:-base}^{commit}")
	exec {fd}>"$BUILD/.lock-checkout"
	flock "$fd"
	[ -e "$dir/.git" ] || { say "checking out $dir"; in_tree worktree add -q --detach "$dir" "$at"; }
	# What a git that was killed has left
	rm -f "$(git -C "$dir" rev-parse --path-format=absolute --git-path index.lock)"
	git -C "$dir" am --abort 2>/dev/null || true
	git -C "$dir" checkout -q -f --detach "$at"
	# But not what another verb's spatch has there meanwhile: NAME_DAY_MONTH_YEAR:HOUR:MINUTE:SECOND_PID
	git -C "$dir" clean -q -f -d -e '*:[0-9][0-9]:[0-9][0-9]_*'
	echo "$dir"
}

# Prints a working tree with the base and the scriptable IOMMU, so that the base
# can be compared with. The patch is the queue's, and applies to both as it is.
base_mock() {
	local dir=$TREE-base-mock commit
	hold base-mock
	commit=$(in_tree log --diff-filter=A --format=%H -- drivers/iommu/mock-iommu.c)
	[ -n "$commit" ] || die "no patch of the tree adds drivers/iommu/mock-iommu.c"
	if [ ! -e "$dir/.git" ] || ! same_patch "$dir" "$commit"; then
		dir=$(worktree base-mock)
		in_tree format-patch -1 --stdout "$commit" | git -C "$dir" am -q ||
			die "the patch of the scriptable IOMMU does not apply to the base"
	fi
	echo "$dir"
}

# Prints a working tree of the short path alone: 01 to 03, and the scriptable IOMMU with its kselftests on it.
short_path() {
	local dir=$TREE-short last mock stamp
	last=$(topics | grep ^03-) || die "$BASE has no topic 03-*"
	mock=$(topics | grep -- -mock-iommu$) || die "$BASE has no topic *-mock-iommu"
	stamp=$(cd "$QUEUE" && cat 0[1-3]-*/*.patch "$mock"/*.patch | sha256sum)
	if [ "$(cat "$BUILD/.short" 2>/dev/null)" != "$stamp" ] || [ ! -e "$dir/.git" ]; then
		dir=$(worktree short "$last")
		git -C "$dir" am -q "$QUEUE/$mock"/*.patch || die "$mock does not apply to $last"
		echo "$stamp" >"$BUILD/.short"
	fi
	echo "$dir"
}

same_patch() {
	[ "$(git -C "$1" rev-parse HEAD^)" = "$(in_tree rev-parse base)" ] &&
		git -C "$1" diff --quiet HEAD &&
		[ "$(git -C "$1" show HEAD | git patch-id --stable | cut -d' ' -f1)" = \
			"$(in_tree show "$2" | git patch-id --stable | cut -d' ' -f1)" ]
}

# Records that tree and queue say the same.
mark_synced() {
	in_tree config queue.branches "$(tree_stamp)"
	in_tree config queue.stamp "$(queue_stamp)"
	rm -f "$APPLYING"
}

# While queue and tree differ because of us, the patches of the queue that may be overwritten or deleted.
NOTED=$TREE/.git/queue-patches

# While the queue is applied, the topic branches are here that were there before, or that this makes. Was that
# killed, and did nobody make or move a branch since?
APPLYING=$TREE/.git/queue-applying
half_applied() { [ -e "$APPLYING" ] && [ "$(topic_refs | grep -cvxF -f "$APPLYING")" = 0 ]; }

# The branch stack as lines "topic first-parent": what each topic stands on.
stack() {
	local prev=base topic
	for topic in $(topics); do echo "$topic $prev"; prev=$topic; done
}

# The lab's machines [of an architecture] whose driver the queue's kernel has, but for those that take long
# shellcheck disable=SC2120 # the argument
machines() {
	local file lab=$ROOT/lab long=false
	for file in "$lab"/machines/*; do
		# shellcheck disable=SC1090,SC2154 # what machines set
		(. "$file" && ! $long && [ "${1:-$arch}" = "$arch" ] && grep -q "^$name " "$QUEUE/functions") &&
			echo "${file##*/}"
	done
}

# What the queue is built and tested for: what its BASE says, by default all that configs/ has.
architectures() { if [ -n "$ARCHITECTURES" ]; then echo "$ARCHITECTURES"; else (cd "$ROOT/configs" && echo *.config | sed 's/\.config//g'); fi; }

# The kselftests of the scriptable IOMMU are not in every queue.
need_kselftests() {
	"$ROOT/scripts/tree"
	[ -e "$TREE/tools/testing/selftests/iommu/vfio_attach.c" ] || die "$BASE has no kselftests of a scriptable IOMMU." \
		"Those of iommufd: 'make iommufd BASE=linux-7.3.y', and 'ARCH=um BASE=linux-7.3.y scripts/kselftest -- ./iommu/iommufd_attach'"
}

cross_compile() {
	case $1 in
	arm64) echo aarch64-linux-gnu- ;;
	arm) echo arm-linux-gnueabihf- ;;
	s390) echo s390x-linux-gnu- ;;
	powerpc) echo powerpc-linux-gnu- ;;
	x86_64 | um) ;;
	*) die "no architecture '$1'; known: $(cd "$ROOT/configs" && echo *.config | sed 's/\.config//g') um; by default: $(architectures | xargs)" ;;
	esac
}

# What $BASE/kunitconfigs says of an architecture: kunit.py's name of its machine, and
# the in-tree files that are for it.
kunitconfigs() { [ ! -e "$QUEUE/kunitconfigs" ] || sed -n "s/^$1 //p" "$QUEUE/kunitconfigs"; }

# The machine that kunit.py boots, as a file: one of ours, or the kernel's own.
machine() {
	local name
	read -r name _ < <(kunitconfigs "$1"; echo "$1")
	[ ! -f "$ROOT/configs/$1.py" ] || { echo "$ROOT/configs/$1.py"; return; }
	echo "$TREE/tools/testing/kunit/qemu_configs/$name.py"
}

# options ARCH [VARIANT]: what a kernel has over allnoconfig: what the patched tree's own
# files say that its tests need, and after it what is in configs/.
options() {
	local own=() more=("configs/$1.config") file
	case ${2:-} in
	plain) more=("configs/stress/$1.config" configs/stress/plain.config) ;;
	'' | gcov | kunit-*)
		read -ra own < <(kunitconfigs "$1" | cut -d' ' -f2-; echo)
		if [ -n "${2:-}" ]; then
			more+=("configs/$2/all.config")
			[ ! -e "$ROOT/configs/$2/$1.config" ] || more+=("configs/$2/$1.config")
		fi
		;;
	in-tree)
		read -ra own < <(kunitconfigs "$1" | cut -d' ' -f2-; echo)
		own+=(tools/testing/selftests/iommu/config) more=(configs/stress/in-tree.config)
		;;
	*) own=(tools/testing/selftests/iommu/config) more=("configs/stress/$1.config" "configs/stress/$2.config") ;;
	esac
	# What is measured is configured alike in all queues
	if [ "${2:-}" = plain ]; then
		:
	elif [ -e "$ROOT/configs/$1.config" ]; then
		for file in "configs/$BASE/all.config" "configs/$BASE/$1.config"; do
			[ ! -e "$ROOT/$file" ] || more+=("$file")
		done
	else
		more[0]=configs/$BASE/$1.config
	fi
	# What a later file takes back is not asked for
	{ (cd "$TREE" && cat /dev/null "${own[@]}") && (cd "$ROOT" && cat "${more[@]}"); } |
		tac | awk '/^# CONFIG_.* is not set$/ { off[$2] } { split($0, o, "=") } !(o[1] in off)' | tac
}

# apt_private FOLDER SUITE [ARCH]: sets apt to an apt-get that knows nothing but Debian's SUITE, from
# the mirror that this machine uses, and keeps all that it writes in FOLDER.
apt_private() {
	local suite
	mkdir -p "$1/lists/partial" "$1/archives/partial"
	# shellcheck disable=SC2016
	apt-get indextargets --format '$(SITE) $(LABEL)' 'Origin: Debian' | sort -u |
		while read -r site label; do
			case $label in
			Debian) suite=$2 ;;
			Debian-Security) [[ $2 != *-* ]] || continue; suite=$2-security ;;
			*) continue ;;
			esac
			echo "deb $site $suite main"
		done >"$1/sources.list"
	apt=(apt-get -qq -o "Dir::Etc::sourcelist=$1/sources.list" -o Dir::Etc::sourceparts=/dev/null
		-o "Dir::State::lists=$1/lists" -o "Dir::Cache=$1" -o APT::Sandbox::User=)
	[ -z "${3:-}" ] || apt+=(-o "APT::Architecture=$3" -o "APT::Architectures=$3")
}

# fetch_deb PACKAGE SUITE [ARCH]: downloads a package of Debian without touching the system,
# and prints its path.
fetch_deb() {
	local dir=$BUILD/apt-$2${3:+-$3} apt
	apt_private "$dir" "$2" "${3:-}"
	say "fetching $1 from $2${3:+ for $3}"
	(cd "$dir" && rm -f -- "$1"_*.deb && "${apt[@]}" update && "${apt[@]}" download "$1") >&2 || return 1
	echo "$dir/$1"_*.deb
}

# apt_empty FOLDER SUITE ARCH: the same, with the lists of now, for a system on which nothing is installed
apt_empty() {
	apt_private "$@"
	: >"$1/status"
	apt+=(-o "Dir::State::status=$1/status" -o Dir::Etc::preferencesparts=/dev/null -o APT::Update::Error-Mode=any)
	"${apt[@]}" update >&2
}

# list_debs FOLDER SUITE ARCH PACKAGE...: the files that fetch_debs would fetch now: their names have the versions
list_debs() {
	local apt
	apt_empty "${@:1:3}" || return 1
	shift 3
	"${apt[@]}" install -y --print-uris --no-install-recommends "$@" | sed "s/^'[^']*' \([^ ]*\) .*/\1/" | sort
}

# fetch_debs FOLDER SUITE ARCH PACKAGE...: downloads several, and all that they need, into
# FOLDER/archives. A PACKAGE may be a pattern of apt's. Prints the name of one that cannot be fetched.
fetch_debs() {
	local apt name
	say "fetching ${*:4} and what they need, from $2 for $3"
	apt_empty "${@:1:3}" || { echo "list of $2"; return 1; }
	shift 3
	"${apt[@]}" install -y --download-only --no-install-recommends "$@" >&2 && return
	for name; do
		"${apt[@]}" install -y --download-only --no-install-recommends "$name" >/dev/null 2>&1 || { echo "$name"; return 1; }
	done
	echo "$*"
	return 1
}

# What to make for a kernel that QEMU boots.
images() {
	case $1 in
	arm64) echo Image Image.gz ;;
	arm) echo zImage ;;
	powerpc) echo vmlinux ;;
	um) echo linux ;;
	*) echo bzImage ;;
	esac
}

# kmake TREE ARCH ARGS...: make in the tree's build folder for the architecture,
# or in KFOLDER; with KARGS, too.
kmake() {
	local tree=$1 arch=$2 cross flags=()
	shift 2
	cross=$(cross_compile "$arch")
	# The lab probes functions. gcc 14 lets some begin with a branch, whose single step QEMU 10 does not end.
	[ "$arch" != s390 ] || flags=(KCFLAGS=-fno-shrink-wrap)
	# shellcheck disable=SC2086
	CCACHE_BASEDIR=$tree make -C "$tree" -j"$(nproc)" ARCH="$arch" O="${KFOLDER:-.build-$arch}" \
		CROSS_COMPILE="$cross" CC="ccache ${cross}gcc" HOSTCC="ccache gcc" "${flags[@]}" ${KARGS:-} "$@"
}

# Newer kunit.py takes KVM where there is one, and waits for ever where that does not work, as in
# some virtual machines. Puts a QEMU into $BUILD/.tcg that leaves it alone: the tests run in TCG everywhere.
without_kvm() {
	# Not in the redirection, which is expanded in the process of cat
	local new=$BUILD/.tcg/.$BASHPID
	[ "$1" = x86_64 ] || return 0
	mkdir -p "$BUILD/.tcg"
	cat >"$new" <<-'END'
		#!/bin/bash
		args=()
		for arg; do
			case $arg in kvm | hvf) unset "args[-1]" ;; *) args+=("$arg") ;; esac
		done
		PATH=${PATH#*:} exec qemu-system-x86_64 "${args[@]}"
	END
	chmod 755 "$new"
	mv "$new" "$BUILD/.tcg/qemu-system-x86_64"
}

# kunit OUT ARCH ARGS...: the KUnit tests of the kernel in a build folder.
kunit() {
	local out=$1 arch=$2 on=--arch=um
	shift 2
	[ "$arch" = um ] || on=--qemu_config=$(machine "$arch")
	without_kvm "$arch"
	# It sets the terminal, where there need be none. The complaint of stty could land within a line of its output.
	(cd "$out/.." && PATH=$BUILD/.tcg:$PATH tools/testing/kunit/kunit.py exec --build_dir="$(basename "$out")" \
		"$on" --timeout=600 "$@") </dev/null 2> >(grep -v '^stty:')
}

# progress LOG: copies stdin to LOG, and says now and then that it is alive.
progress() {
	local line n=0 last=$SECONDS start=$SECONDS
	while IFS= read -r line; do
		echo "$line"
		case $line in *' CC '* | *' AS '* | *' AR '* | *' LD '*) n=$((n + 1)) ;; esac
		if [ $((SECONDS - last)) -ge 25 ]; then
			last=$SECONDS
			echo "    $((SECONDS - start)) s, $n objects" >&2
		fi
	done >"$1"
}
