// Package clientview is the home of the checks of chapter client-view: clients work without any changes to their code. It has
// none yet; monitors judge what clients are shown in the checks of the other chapters (helpers/monitor).
package clientview
