# What `make install` lays out: the prefix is one release (/opt/tap-trading/releases/<version>), whole in itself: programs, page, manual
# pages, configuration, units, and `host`, which sets a machine up for it, switches to it and back (docs/deploy.md).
install(DIRECTORY ${CMAKE_SOURCE_DIR}/build/web ${CMAKE_SOURCE_DIR}/build/web-ops DESTINATION .)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/conf DESTINATION .)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/systemd DESTINATION .)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/docs/ DESTINATION doc)
install(PROGRAMS ${CMAKE_SOURCE_DIR}/scripts/host DESTINATION .)
install(CODE [[
	get_filename_component(name ${CMAKE_INSTALL_PREFIX} NAME)
	file(WRITE "$ENV{DESTDIR}${CMAKE_INSTALL_PREFIX}/NAME" "${name}\n")
]])
