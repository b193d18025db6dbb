# SPDX-License-Identifier: LGPL-2.1-or-later

EXTRA_DIST += tests/debian/manuals.sh tests/debian/wine-links.sh

CHECKS += check-manuals check-wine-links

.PHONY: check-manuals check-wine-links
check-manuals: tools/tawny tools/tawny-wine-links
	$(SHELL) $(srcdir)/tests/debian/manuals.sh

check-wine-links: tools/tawny-wine-links
	$(SHELL) $(srcdir)/tests/debian/wine-links.sh
