import { type JSX, useState } from 'react';
import { Button } from '../ui/button.tsx';
import type { IconName } from '../ui/icon.tsx';

type Theme = 'system' | 'light' | 'dark';
const ORDER: readonly Theme[] = ['system', 'light', 'dark'];
const ICONS: Readonly<Record<Theme, IconName>> = { system: 'screen', light: 'sun', dark: 'moon' };

function storedTheme(): Theme {
  const value = document.documentElement.dataset['theme'];
  return value === 'light' || value === 'dark' ? value : 'system';
}

function applyTheme(theme: Theme): void {
  if (theme === 'system') delete document.documentElement.dataset['theme'];
  else document.documentElement.dataset['theme'] = theme;
  try {
    if (theme === 'system') localStorage.removeItem('holdfast-theme');
    else localStorage.setItem('holdfast-theme', theme);
  } catch {
    // Without storage the choice holds for this page only.
  }
}

export function ThemeButton(): JSX.Element {
  const [theme, setTheme] = useState(storedTheme);
  const next = ORDER[(ORDER.indexOf(theme) + 1) % ORDER.length] ?? 'system';
  return (
    <Button
      look="quiet"
      iconOnly
      icon={ICONS[theme]}
      title={`Colours: ${theme}. Change to ${next}.`}
      onClick={() => {
        applyTheme(next);
        setTheme(next);
      }}
    >
      {`Colours: ${theme}. Change to ${next}.`}
    </Button>
  );
}
