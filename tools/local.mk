# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What make install installs: tools/tawny, and the DLLs and programs, in directories laid out as in
# the build tree, where tools/tawny finds them.

bin_SCRIPTS = tools/tawny

tawnypedir = $(tawnydir)/$(windir)
tawnype_DATA = $(DLLS) $(PROGRAMS_PE)

tawnyunixdir = $(tawnydir)/$(unixdir)
tawnyunix_DATA = $(UNIXLIBS)

# Automake removes the files that it has installed, but not the directories that are Tawny's alone.
uninstall-hook:
	@for directory in "$(tawnypedir)" "$(tawnyunixdir)" "$(tawnydir)"; do \
	  rmdir "$(DESTDIR)$$directory" 2>/dev/null; \
	done; :
