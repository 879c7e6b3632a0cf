import {
  type InputHTMLAttributes,
  type JSX,
  type ReactNode,
  type SelectHTMLAttributes,
  type TextareaHTMLAttributes,
  useId,
} from 'react';

interface FieldFrame {
  label: string;
  hint?: ReactNode;
  /** What is wrong, in a sentence; shown in place of the hint and read out. */
  problem?: string | undefined;
  /** Shown behind the control: a unit, a button. */
  after?: ReactNode;
}

function Frame({
  id,
  label,
  hint,
  problem,
  after,
  children,
}: FieldFrame & { id: string; children: ReactNode }): JSX.Element {
  return (
    <div className={problem === undefined ? 'field' : 'field field-wrong'}>
      <label htmlFor={id}>{label}</label>
      <div className="field-control">
        {children}
        {after}
      </div>
      {problem === undefined ? (
        hint !== undefined && (
          <p className="field-hint" id={`${id}-hint`}>
            {hint}
          </p>
        )
      ) : (
        <p className="field-problem" id={`${id}-hint`} role="alert">
          {problem}
        </p>
      )}
    </div>
  );
}

function described(
  id: string,
  props: FieldFrame,
): { id: string; 'aria-invalid': true | undefined; 'aria-describedby': string | undefined } {
  return {
    id,
    'aria-invalid': props.problem === undefined ? undefined : true,
    'aria-describedby': props.problem === undefined && props.hint === undefined ? undefined : `${id}-hint`,
  };
}

export function TextField(props: FieldFrame & InputHTMLAttributes<HTMLInputElement> & { mono?: boolean }): JSX.Element {
  const { label, hint, problem, after, mono = false, ...rest } = props;
  const id = useId();
  return (
    <Frame id={id} label={label} hint={hint} problem={problem} after={after}>
      <input
        {...rest}
        {...described(id, props)}
        data-focus={rest.autoFocus}
        className={mono ? 'input mono' : 'input'}
      />
    </Frame>
  );
}

export function AreaField(
  props: FieldFrame & TextareaHTMLAttributes<HTMLTextAreaElement> & { mono?: boolean },
): JSX.Element {
  const { label, hint, problem, after, mono = false, ...rest } = props;
  const id = useId();
  return (
    <Frame id={id} label={label} hint={hint} problem={problem} after={after}>
      <textarea
        {...rest}
        {...described(id, props)}
        data-focus={rest.autoFocus}
        className={mono ? 'input mono' : 'input'}
      />
    </Frame>
  );
}

export function SelectField(props: FieldFrame & SelectHTMLAttributes<HTMLSelectElement>): JSX.Element {
  const { label, hint, problem, after, children, ...rest } = props;
  const id = useId();
  return (
    <Frame id={id} label={label} hint={hint} problem={problem} after={after}>
      <select {...rest} {...described(id, props)} className="input">
        {children}
      </select>
    </Frame>
  );
}

/** On or off, in effect at once: a switch. */
export function Switch(props: {
  label: string;
  hint?: ReactNode;
  checked: boolean;
  disabled?: boolean;
  onChange: (checked: boolean) => void;
}): JSX.Element {
  const id = useId();
  return (
    <div className="switch-row">
      <button
        type="button"
        id={id}
        role="switch"
        className="switch"
        aria-checked={props.checked}
        aria-labelledby={`${id}-label`}
        aria-describedby={props.hint === undefined ? undefined : `${id}-hint`}
        disabled={props.disabled}
        onClick={() => props.onChange(!props.checked)}
      >
        <span className="switch-knob" />
      </button>
      <div>
        <label htmlFor={id} id={`${id}-label`}>
          {props.label} <span className="faint">{props.checked ? 'on' : 'off'}</span>
        </label>
        {props.hint !== undefined && (
          <p className="field-hint" id={`${id}-hint`}>
            {props.hint}
          </p>
        )}
      </div>
    </div>
  );
}
