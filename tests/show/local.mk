# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Tests of tawny show: of the parts of x86_64-unix/show, made with the sanitizers, which need no Wine;
# and of the whole in a prefix, with a Windows program that does what it is told.

SHOW_TESTS = show/hivefile show/stored show/view show/host

# What reads files that may be damaged is made once more for valgrind, which knows what has no value.
SHOW_MEMCHECK_TESTS = show/hivefile-memcheck show/stored-memcheck show/view-memcheck

SHOW_ACTOR = $(windir)/actor.exe

EXTRA_DIST += $(SHOW_TESTS:%=tests/%.c) tests/show/actor.c tests/show/show.sh

CHECKS += check-show-parts check-show
CHECK_PE += $(SHOW_ACTOR)
CHECK_FILES += $(SHOW_TESTS)

show/hivefile show/hivefile-memcheck: tests/show/hivefile.c tools/show/hivefile.c \
	tools/show/memory.c tools/show/text.c
show/stored show/stored-memcheck: tests/show/stored.c tools/show/memory.c tools/show/stored.c \
	tools/show/text.c $(RANGENAME_FILES) dlls/portpool/unix/record.c
show/view show/view-memcheck: tests/show/view.c tools/show/document.c tools/show/listing.c \
	tools/show/map.c tools/show/memory.c tools/show/report.c tools/show/screen.c tools/show/stored.c \
	tools/show/text.c tools/show/view.c $(RANGENAME_FILES) dlls/portpool/unix/record.c
show/host: tests/show/host.c tests/native/network.c tools/show/host.c tools/show/memory.c \
	dlls/portpool/unix/placeholder.c dlls/portpool/unix/sockets.c

$(SHOW_TESTS): $(NATIVE_TEST_H) $(SHOW_H) $(PORTPOOL_UNIX_H)
	@$(MKDIR_P) $(@D)
	$(AM_V_GEN)$(CC) $(NATIVE_CFLAGS) $(CFLAGS) $(SANITIZE) -o $@ $(filter %.c,$^) $(JSON_LIBS)

$(SHOW_MEMCHECK_TESTS): $(NATIVE_TEST_H) $(SHOW_H) $(PORTPOOL_UNIX_H)
	@$(MKDIR_P) $(@D)
	$(AM_V_GEN)$(CC) $(NATIVE_CFLAGS) $(CFLAGS) -o $@ $(filter %.c,$^) $(JSON_LIBS)

.PHONY: check-show-parts
check-show-parts: $(SHOW_TESTS)
	$(SHELL) $(srcdir)/tests/native/run $(SHOW_TESTS:%=./%)

$(SHOW_ACTOR): $(srcdir)/tests/show/actor.c
	@$(MKDIR_P) $(@D)
	$(AM_V_GEN)$(PE_CC) $(PE_CPPFLAGS) $(PE_CFLAGS) $(MINGW_CFLAGS) -o $@ $< -lws2_32

.PHONY: check-show
check-show: all $(SHOW_ACTOR)
	$(SHELL) $(srcdir)/tests/show/show.sh

clean-local: clean-show
.PHONY: clean-show
clean-show:
	rm -rf show
