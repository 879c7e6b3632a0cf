import { type ButtonHTMLAttributes, type JSX, type ReactNode, useState } from 'react';
import { Link, type LinkProps } from 'react-router';
import { Icon, type IconName } from './icon.tsx';

type Look = 'main' | 'plain' | 'quiet' | 'danger' | 'link';

interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  look?: Look;
  icon?: IconName;
  /** Work is under way: the button says so and cannot be pressed again. */
  busy?: boolean;
  /** An icon alone; `children` is then its label for everybody who cannot see it. */
  iconOnly?: boolean;
  small?: boolean;
}

function classOf(look: Look, iconOnly: boolean, small: boolean): string {
  return `button button-${look}${iconOnly ? ' button-icon' : ''}${small ? ' button-small' : ''}`;
}

export function Button(props: ButtonProps): JSX.Element {
  const { look = 'plain', icon, busy = false, iconOnly = false, small = false, children, className, ...rest } = props;
  return (
    <button
      type="button"
      {...rest}
      data-focus={rest.autoFocus}
      className={`${classOf(look, iconOnly, small)} ${className ?? ''}`}
      disabled={rest.disabled === true || busy}
      aria-busy={busy || undefined}
      title={rest.title ?? (iconOnly && typeof children === 'string' ? children : undefined)}
    >
      {busy ? <span className="spinner" aria-hidden="true" /> : icon !== undefined && <Icon name={icon} />}
      <span className={iconOnly ? 'visually-hidden' : undefined}>{children}</span>
    </button>
  );
}

interface LinkButtonProps extends LinkProps {
  look?: Look;
  icon?: IconName;
  small?: boolean;
}

export function LinkButton({ look = 'plain', icon, small = false, children, ...rest }: LinkButtonProps): JSX.Element {
  return (
    <Link {...rest} className={classOf(look, false, small)}>
      {icon !== undefined && <Icon name={icon} />}
      <span>{children}</span>
    </Link>
  );
}

/** A link out of the pages: a site, or a download. */
export function OutLink(props: {
  href: string;
  look?: Look;
  icon?: IconName;
  small?: boolean;
  download?: boolean;
  children: ReactNode;
}): JSX.Element {
  const { href, look = 'plain', icon, small = false, download = false, children } = props;
  return (
    <a
      className={classOf(look, false, small)}
      href={href}
      {...(download ? { download: '' } : { target: '_blank', rel: 'noreferrer' })}
    >
      {icon !== undefined && <Icon name={icon} />}
      <span>{children}</span>
      {!download && <span className="visually-hidden"> (opens in a new tab)</span>}
    </a>
  );
}

export function CopyButton({
  text,
  label = 'Copy',
  onCopied,
}: {
  text: string;
  label?: string;
  onCopied?: () => void;
}): JSX.Element {
  const [state, setState] = useState<'ready' | 'copied' | 'failed'>('ready');
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text);
      setState('copied');
      onCopied?.();
    } catch {
      // Over plain http browsers give no clipboard except on localhost; the text can still be selected by hand.
      setState('failed');
    }
    setTimeout(() => setState('ready'), 2500);
  };
  return (
    <Button small icon={state === 'copied' ? 'check' : 'copy'} onClick={() => void copy()} aria-live="polite">
      {state === 'copied' ? 'Copied' : state === 'failed' ? 'Select it and press Ctrl-C' : label}
    </Button>
  );
}
