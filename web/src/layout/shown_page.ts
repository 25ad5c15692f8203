// The page that is shown: the one that the address names, but for who may not see the studies, with which it begins.

import { computed } from "@preact/signals";
import { may } from "../api/session";
import { FIRST_PAGE, route } from "../router";

const FIRST_OF_ADMINISTRATORS = "administration";

export const shownPage = computed(() => {
  const { page } = route.value;
  return page === FIRST_PAGE && !may("browse") && may("administrate") ? FIRST_OF_ADMINISTRATORS : page;
});
