// The page's entry: signed in or not, and which page the address names.
import { render, type ComponentChildren, type ComponentType } from "preact";
import { useEffect, useErrorBoundary } from "preact/hooks";
import { href, route } from "./lib/router";
import { token } from "./lib/session";
import "./lib/theme";
import { Audit } from "./pages/audit";
import { Groups } from "./pages/groups";
import { Keys } from "./pages/keys";
import { Overview } from "./pages/overview";
import { Policies } from "./pages/policies";
import { NewPolicy, PolicyPage } from "./pages/policy";
import { Providers } from "./pages/providers";
import { Requests } from "./pages/requests";
import { Rules } from "./pages/rules";
import { Rulesets } from "./pages/rulesets";
import { SignIn } from "./pages/sign-in";
import { Shell } from "./shell";
import { Button, Empty, Problem, Toasts } from "./ui/basics";

const PAGES: Record<string, ComponentType> = {
  overview: Overview,
  requests: Requests,
  policies: PolicyRoutes,
  rules: Rules,
  rulesets: Rulesets,
  keys: Keys,
  groups: Groups,
  providers: Providers,
  audit: Audit,
};

function PolicyRoutes() {
  const name = route.value.path[1];
  if (name === undefined) return <Policies />;
  return name === "~new" ? <NewPolicy /> : <PolicyPage key={name} name={name} />;
}

function App() {
  const page = route.value.path[0] ?? "overview";
  useEffect(() => {
    document.title = token.value ? `${title(page)} · Understudy` : "Sign in · Understudy";
    document.querySelector<HTMLElement>("h1")?.focus({ preventScroll: true });
    scrollTo(0, 0);
  }, [page, token.value]);

  if (!token.value) return <SignIn />;
  const Page = PAGES[page] ?? Missing;
  return (
    <Shell>
      <Guarded key={page} at={route.value.path.join("/")}>
        <Page />
      </Guarded>
    </Shell>
  );
}

/** A page that breaks says so; the others stay usable, those of the same kind too. */
function Guarded({ at, children }: { at: string; children: ComponentChildren }) {
  const [error, again] = useErrorBoundary();
  useEffect(() => {
    if (error) again();
  }, [at]);
  return error ? <Problem error={error instanceof Error ? error : new Error(String(error))} retry={again} /> : <>{children}</>;
}

function Missing() {
  return <Empty icon="info" title="There is no such page" action={<Button onClick={() => (location.hash = href("overview"))}>Go to the overview</Button>} />;
}

function title(page: string): string {
  const name = page === "groups" ? "Groups & users" : page;
  return name.charAt(0).toUpperCase() + name.slice(1);
}

const root = document.querySelector("#app");
if (root) {
  render(
    <>
      <App />
      <Toasts />
    </>,
    root,
  );
}
