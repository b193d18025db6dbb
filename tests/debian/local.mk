# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Of the tests of the Debian package and what it needs, make check runs those that need neither root
# nor debhelper. tests/debian/package makes and inspects the package, tests/debian/root tries it.

EXTRA_DIST += tests/debian/in-root tests/debian/manuals.sh tests/debian/package tests/debian/root \
	tests/debian/wine-links.sh debian/changelog debian/control debian/copyright debian/docs \
	debian/rules debian/source/format debian/tawny.postinst debian/tawny.prerm \
	debian/tawny.triggers

CHECKS += check-manuals check-wine-links

.PHONY: check-manuals check-wine-links
check-manuals: tools/tawny tools/tawny-wine-links
	$(SHELL) $(srcdir)/tests/debian/manuals.sh

check-wine-links: tools/tawny-wine-links
	$(SHELL) $(srcdir)/tests/debian/wine-links.sh
