# What gcc -fanalyzer reads (preset `analyze`, `make check`): the product's own code, lib/ and cmd/. Its findings are errors; what is
# off is off for a reason that stands here.
option(TAP_ANALYZE "read by gcc -fanalyzer; what it builds is not run" OFF)
if(NOT TAP_ANALYZE)
	return()
endif()

add_compile_options(-fanalyzer -include ${CMAKE_SOURCE_DIR}/cmake/analyzer.h -I${CMAKE_SOURCE_DIR}/lib/base
	# By this suite's contract a callee answers 0, an expected positive result, or a negative errno, and sets what it gives on 0.
	# The analyzer reads one file at a time, takes a callee of another file for one that may answer anything, and so walks "positive,
	# and nothing set" behind each `if (r < 0)`. Of 37 findings none was another. What it would find is looked for by gcc's own
	# -Wmaybe-uninitialized and by cppcheck, and automatic variables are zeros in the release (-ftrivial-auto-var-init).
	-Wno-analyzer-use-of-uninitialized-value)

# tap_analyzer_wrong(FILE WARNING): a finding in one file that is none.
function(tap_analyzer_wrong file warning)
	set_property(SOURCE ${CMAKE_SOURCE_DIR}/${file} DIRECTORY lib cmd APPEND PROPERTY COMPILE_OPTIONS -Wno-analyzer-${warning})
endfunction()
