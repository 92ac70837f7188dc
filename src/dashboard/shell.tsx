// The frame around every page: navigation, theme, sign-out.
import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import { href, route } from "./lib/router";
import { signOut } from "./lib/session";
import { shown, theme } from "./lib/theme";
import { IconButton } from "./ui/basics";
import { Icon, Logo, type IconName } from "./ui/icon";

const NAV: { title?: string; items: [path: string, text: string, icon: IconName][] }[] = [
  { items: [["overview", "Overview", "overview"], ["requests", "Requests", "requests"]] },
  { title: "Routing", items: [["policies", "Policies", "policies"], ["rules", "Rules", "rules"], ["rulesets", "Rulesets", "rulesets"]] },
  { title: "Access", items: [["keys", "Keys", "keys"], ["groups", "Groups & users", "groups"]] },
  { title: "System", items: [["providers", "Providers", "providers"], ["audit", "Audit", "audit"]] },
];

export function Shell({ children }: { children: ComponentChildren }) {
  const [open, setOpen] = useState(false);
  const current = route.value.path[0] ?? "overview";

  useEffect(() => setOpen(false), [route.value]);
  useEffect(() => {
    const close = (event: KeyboardEvent) => event.key === "Escape" && setOpen(false);
    addEventListener("keydown", close);
    return () => removeEventListener("keydown", close);
  }, []);

  return (
    <div class="shell">
      <a class="skip-link" href="#main" onClick={(event) => { event.preventDefault(); document.querySelector<HTMLElement>("#main")?.focus(); }}>Skip to the page</a>
      <div class="topbar">
        <IconButton icon="menu" label="Open the menu" aria-expanded={open} onClick={() => setOpen(true)} />
        <a class="brand" href={href("overview")}><Logo size={24} /> Understudy</a>
        <span class="push"><ThemeButton /></span>
      </div>
      {open && <button type="button" class="side-scrim" aria-label="Close the menu" onClick={() => setOpen(false)} />}
      <div class={`side${open ? " open" : ""}`}>
        <a class="brand" href={href("overview")}><Logo /> Understudy</a>
        <nav class="nav" aria-label="Pages">
          {NAV.map((section) => (
            <>
              {section.title && <div class="nav-title">{section.title}</div>}
              {section.items.map(([path, text, icon]) => (
                <a key={path} href={href(path)} aria-current={current === path ? "page" : undefined}>
                  <Icon name={icon} /> {text}
                </a>
              ))}
            </>
          ))}
        </nav>
        <div class="side-foot">
          <ThemeButton />
          <button type="button" class="btn ghost small" onClick={() => signOut()}><Icon name="out" size={16} /> Sign out</button>
        </div>
      </div>
      <main class="main" id="main" tabIndex={-1}>
        <div class="page">{children}</div>
      </main>
    </div>
  );
}

function ThemeButton() {
  const dark = shown.value === "dark";
  return <IconButton icon={dark ? "sun" : "moon"} label={dark ? "Use the light theme" : "Use the dark theme"} onClick={() => (theme.value = dark ? "light" : "dark")} />;
}
