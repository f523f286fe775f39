import { type ReactNode, useId } from 'react';
import { type Draft, type Fault, isAt } from './draft';

/** The form as its fields see it. */
export interface Form {
  readonly draft: Draft;
  readonly faults: readonly Fault[];
  /** Takes over what was typed; what the server said of the field at `path` is then of the past. */
  readonly set: (path: string, changes: Partial<Draft>) => void;
}

/** The element of the field at a path, for whoever leads there. */
export const fieldId = (path: string): string => `field-${encodeURIComponent(path)}`;

/** What the control of a field is given. */
export interface Control {
  readonly id: string;
  readonly 'aria-describedby': string;
  readonly 'aria-invalid': boolean;
}

interface FieldProps {
  readonly form: Form;
  /** As the server names it; several when it has more than one name. */
  readonly path: string;
  readonly others?: readonly string[];
  readonly label: ReactNode;
  readonly hint?: ReactNode;
  readonly children: (control: Control) => ReactNode;
}

/** A control with its label, a hint, and what is wrong with it. */
export function Field({ form, path, others = [], label, hint, children }: FieldProps): ReactNode {
  const about = useId();
  const wrong = faultsAt(form.faults, [path, ...others]);
  return (
    <div className="field">
      <label htmlFor={fieldId(path)}>{label}</label>
      {children({ id: fieldId(path), 'aria-describedby': about, 'aria-invalid': wrong.length > 0 })}
      <div id={about}>
        {hint !== undefined && <p className="hint">{hint}</p>}
        <Wrong faults={wrong} path={path} />
      </div>
    </div>
  );
}

export const faultsAt = (faults: readonly Fault[], paths: readonly string[]): Fault[] =>
  faults.filter((fault) => paths.some((path) => isAt(fault.path, path)));

/** What is wrong with a field; the place within it where there is one. */
export function Wrong({ faults, path }: { readonly faults: readonly Fault[]; readonly path: string }): ReactNode {
  return faults.map((fault) => (
    <p key={fault.path + fault.message} className="field-fault">
      ✕ {fault.path.startsWith(`${path}.`) && <code>{fault.path.slice(path.length + 1)}</code>} {fault.message}
    </p>
  ));
}
